source_filename = "memory.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-unknown-linux5.10.0-gnu2.31.0"

; Function Attrs: nofree norecurse nounwind optsize memory(argmem: readwrite, inaccessiblemem: readwrite) uwtable
define hidden noundef ptr @memcpy(ptr noalias noundef returned %0, ptr noalias noundef readonly captures(none) %1, i64 noundef %2) local_unnamed_addr {
  %4 = icmp ugt i64 %2, 7
  br i1 %4, label %10, label %5

5:                                                ; preds = %10, %3
  %6 = phi i64 [ %2, %3 ], [ %15, %10 ]
  %7 = phi ptr [ %0, %3 ], [ %16, %10 ]
  %8 = phi ptr [ %1, %3 ], [ %17, %10 ]
  %9 = icmp eq i64 %6, 0
  br i1 %9, label %28, label %19

10:                                               ; preds = %3, %10
  %11 = phi ptr [ %17, %10 ], [ %1, %3 ]
  %12 = phi ptr [ %16, %10 ], [ %0, %3 ]
  %13 = phi i64 [ %15, %10 ], [ %2, %3 ]
  %14 = load i64, ptr %11, align 1
  store volatile i64 %14, ptr %12, align 1
  %15 = add i64 %13, -8
  %16 = getelementptr inbounds nuw i8, ptr %12, i64 8
  %17 = getelementptr inbounds nuw i8, ptr %11, i64 8
  %18 = icmp ugt i64 %15, 7
  br i1 %18, label %10, label %5

19:                                               ; preds = %5, %19
  %20 = phi ptr [ %23, %19 ], [ %8, %5 ]
  %21 = phi ptr [ %25, %19 ], [ %7, %5 ]
  %22 = phi i64 [ %26, %19 ], [ %6, %5 ]
  %23 = getelementptr inbounds nuw i8, ptr %20, i64 1
  %24 = load i8, ptr %20, align 1
  %25 = getelementptr inbounds nuw i8, ptr %21, i64 1
  store volatile i8 %24, ptr %21, align 1
  %26 = add nsw i64 %22, -1
  %27 = icmp eq i64 %26, 0
  br i1 %27, label %28, label %19

28:                                               ; preds = %19, %5
  ret ptr %0
}

; Function Attrs: nofree norecurse nounwind optsize memory(argmem: readwrite, inaccessiblemem: readwrite) uwtable
define hidden noundef ptr @memmove(ptr noundef returned %0, ptr noundef readonly captures(address) %1, i64 noundef %2) local_unnamed_addr {
  %4 = icmp ugt ptr %0, %1
  %5 = getelementptr inbounds nuw i8, ptr %1, i64 %2
  %6 = icmp ult ptr %0, %5
  %7 = select i1 %4, i1 %6, i1 false
  br i1 %7, label %8, label %10

8:                                                ; preds = %3
  %9 = icmp eq i64 %2, 0
  br i1 %9, label %42, label %35

10:                                               ; preds = %3
  %11 = icmp ugt i64 %2, 7
  br i1 %11, label %17, label %12

12:                                               ; preds = %17, %10
  %13 = phi i64 [ %2, %10 ], [ %22, %17 ]
  %14 = phi ptr [ %0, %10 ], [ %23, %17 ]
  %15 = phi ptr [ %1, %10 ], [ %24, %17 ]
  %16 = icmp eq i64 %13, 0
  br i1 %16, label %42, label %26

17:                                               ; preds = %10, %17
  %18 = phi ptr [ %24, %17 ], [ %1, %10 ]
  %19 = phi ptr [ %23, %17 ], [ %0, %10 ]
  %20 = phi i64 [ %22, %17 ], [ %2, %10 ]
  %21 = load i64, ptr %18, align 1
  store volatile i64 %21, ptr %19, align 1
  %22 = add i64 %20, -8
  %23 = getelementptr inbounds nuw i8, ptr %19, i64 8
  %24 = getelementptr inbounds nuw i8, ptr %18, i64 8
  %25 = icmp ugt i64 %22, 7
  br i1 %25, label %17, label %12

26:                                               ; preds = %12, %26
  %27 = phi ptr [ %30, %26 ], [ %15, %12 ]
  %28 = phi ptr [ %32, %26 ], [ %14, %12 ]
  %29 = phi i64 [ %33, %26 ], [ %13, %12 ]
  %30 = getelementptr inbounds nuw i8, ptr %27, i64 1
  %31 = load i8, ptr %27, align 1
  %32 = getelementptr inbounds nuw i8, ptr %28, i64 1
  store volatile i8 %31, ptr %28, align 1
  %33 = add nsw i64 %29, -1
  %34 = icmp eq i64 %33, 0
  br i1 %34, label %42, label %26

35:                                               ; preds = %8, %35
  %36 = phi i64 [ %37, %35 ], [ %2, %8 ]
  %37 = add i64 %36, -1
  %38 = getelementptr inbounds nuw i8, ptr %1, i64 %37
  %39 = load i8, ptr %38, align 1
  %40 = getelementptr inbounds nuw i8, ptr %0, i64 %37
  store volatile i8 %39, ptr %40, align 1
  %41 = icmp eq i64 %37, 0
  br i1 %41, label %42, label %35

42:                                               ; preds = %26, %35, %8, %12
  ret ptr %0
}

; Function Attrs: nofree norecurse nounwind optsize memory(argmem: readwrite, inaccessiblemem: readwrite) uwtable
define hidden noundef ptr @memset(ptr noundef returned %0, i32 noundef %1, i64 noundef %2) local_unnamed_addr {
  %4 = trunc i32 %1 to i8
  %5 = and i32 %1, 255
  %6 = zext nneg i32 %5 to i64
  %7 = mul nuw i64 %6, 72340172838076673
  %8 = icmp ugt i64 %2, 7
  br i1 %8, label %13, label %9

9:                                                ; preds = %13, %3
  %10 = phi ptr [ %0, %3 ], [ %17, %13 ]
  %11 = phi i64 [ %2, %3 ], [ %16, %13 ]
  %12 = icmp eq i64 %11, 0
  br i1 %12, label %25, label %19

13:                                               ; preds = %3, %13
  %14 = phi i64 [ %16, %13 ], [ %2, %3 ]
  %15 = phi ptr [ %17, %13 ], [ %0, %3 ]
  store volatile i64 %7, ptr %15, align 1
  %16 = add i64 %14, -8
  %17 = getelementptr inbounds nuw i8, ptr %15, i64 8
  %18 = icmp ugt i64 %16, 7
  br i1 %18, label %13, label %9

19:                                               ; preds = %9, %19
  %20 = phi i64 [ %23, %19 ], [ %11, %9 ]
  %21 = phi ptr [ %22, %19 ], [ %10, %9 ]
  %22 = getelementptr inbounds nuw i8, ptr %21, i64 1
  store volatile i8 %4, ptr %21, align 1
  %23 = add nsw i64 %20, -1
  %24 = icmp eq i64 %23, 0
  br i1 %24, label %25, label %19

25:                                               ; preds = %19, %9
  ret ptr %0
}

; Function Attrs: nounwind optsize uwtable
define hidden void @ej_parallel_for(ptr noundef %0, ptr noundef %1, ptr noundef %2, i64 noundef %3) local_unnamed_addr {
  %5 = icmp sgt i64 %3, 1
  %6 = icmp ne ptr %0, null
  %7 = and i1 %6, %5
  br i1 %7, label %10, label %8

8:                                                ; preds = %4
  %9 = icmp sgt i64 %3, 0
  br i1 %9, label %12, label %16

10:                                               ; preds = %4
  %11 = load ptr, ptr %0, align 8
  tail call void %11(ptr noundef nonnull %0, ptr noundef %1, ptr noundef %2, i64 noundef %3)
  br label %16

12:                                               ; preds = %8, %12
  %13 = phi i64 [ %14, %12 ], [ 0, %8 ]
  tail call void %1(ptr noundef %2, i64 noundef %13, i64 noundef %3)
  %14 = add nuw nsw i64 %13, 1
  %15 = icmp eq i64 %14, %3
  br i1 %15, label %16, label %12

16:                                               ; preds = %12, %8, %10
  ret void
}

; Function Attrs: nocallback nofree nosync nounwind willreturn memory(inaccessiblemem: readwrite)
