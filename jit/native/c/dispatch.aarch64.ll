source_filename = "dispatch.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i8:8:32-i16:16:32-i64:64-i128:128-n32:64-S128-Fn32"
target triple = "aarch64-unknown-linux5.10.0-gnu2.31.0"

%struct.ej_error = type { i64, i64, i64 }

@__const.ej_run.own = private unnamed_addr constant %struct.ej_error { i64 0, i64 -1, i64 0 }, align 8

; Function Attrs: mustprogress nofree norecurse nosync nounwind optsize willreturn memory(none) uwtable
define noundef i64 @ej_level() local_unnamed_addr {
  ret i64 2
}

; Function Attrs: nounwind optsize uwtable
define i32 @ej_run(ptr noundef readonly captures(none) %0) local_unnamed_addr {
  %2 = alloca %struct.ej_error, align 8
  call void @llvm.lifetime.start.p0(ptr nonnull %2)
  call void @llvm.memcpy.p0.p0.i64(ptr noundef nonnull align 8 dereferenceable(24) %2, ptr noundef nonnull align 8 dereferenceable(24) @__const.ej_run.own, i64 24, i1 false)
  %3 = load i32, ptr %0, align 8
  %4 = icmp ult i32 %3, 96
  br i1 %4, label %42, label %5

5:                                                ; preds = %1
  %6 = getelementptr inbounds nuw i8, ptr %0, i64 4
  %7 = load i32, ptr %6, align 4
  %8 = icmp eq i32 %7, 1
  br i1 %8, label %9, label %42

9:                                                ; preds = %5
  %10 = getelementptr inbounds nuw i8, ptr %0, i64 80
  %11 = load ptr, ptr %10, align 8
  %12 = icmp eq ptr %11, null
  %13 = select i1 %12, ptr %2, ptr %11
  store i64 0, ptr %13, align 8
  %14 = select i1 %12, ptr %2, ptr %11
  %15 = getelementptr inbounds nuw i8, ptr %14, i64 8
  store i64 -1, ptr %15, align 8
  %16 = select i1 %12, ptr %2, ptr %11
  %17 = getelementptr inbounds nuw i8, ptr %16, i64 16
  store i64 0, ptr %17, align 8
  %18 = getelementptr inbounds nuw i8, ptr %0, i64 88
  %19 = load i64, ptr %18, align 8
  %20 = and i64 %19, -3
  %21 = icmp ne i64 %20, 0
  %22 = icmp eq ptr @ej_program__aarch64, null
  %23 = or i1 %22, %21
  br i1 %23, label %24, label %25

24:                                               ; preds = %9
  store i64 3, ptr %13, align 8
  br label %42

25:                                               ; preds = %9
  %26 = getelementptr inbounds nuw i8, ptr %0, i64 8
  %27 = load ptr, ptr %26, align 8
  %28 = getelementptr inbounds nuw i8, ptr %0, i64 16
  %29 = load ptr, ptr %28, align 8
  %30 = getelementptr inbounds nuw i8, ptr %0, i64 24
  %31 = load ptr, ptr %30, align 8
  %32 = getelementptr inbounds nuw i8, ptr %0, i64 40
  %33 = load ptr, ptr %32, align 8
  %34 = getelementptr inbounds nuw i8, ptr %0, i64 48
  %35 = load ptr, ptr %34, align 8
  %36 = getelementptr inbounds nuw i8, ptr %0, i64 56
  %37 = load ptr, ptr %36, align 8
  %38 = getelementptr inbounds nuw i8, ptr %0, i64 72
  %39 = load ptr, ptr %38, align 8
  %40 = call i64 @ej_program__aarch64(ptr noundef %27, ptr noundef %29, ptr noundef %31, ptr noundef %33, ptr noundef %35, ptr noundef %37, ptr noundef %39, ptr noundef nonnull %13)
  %41 = trunc i64 %40 to i32
  br label %42

42:                                               ; preds = %24, %25, %1, %5
  %43 = phi i32 [ 1, %1 ], [ 1, %5 ], [ %41, %25 ], [ 3, %24 ]
  call void @llvm.lifetime.end.p0(ptr nonnull %2)
  ret i32 %43
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(ptr captures(none))

; Function Attrs: mustprogress nocallback nofree nounwind willreturn memory(argmem: readwrite)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly captures(none), ptr noalias readonly captures(none), i64, i1 immarg)

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(ptr captures(none))

; Function Attrs: optsize
declare extern_weak i64 @ej_program__aarch64(ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef)
