source_filename = "dispatch.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-unknown-linux5.10.0-gnu2.31.0"

%struct.ej_error = type { i64, i64, i64 }

@level = internal unnamed_addr global i64 0, align 8
@__const.ej_run.own = private unnamed_addr constant %struct.ej_error { i64 0, i64 -1, i64 0 }, align 8
@__const.pick.levels = private unnamed_addr constant [3 x ptr] [ptr @ej_program__v2, ptr @ej_program__v3, ptr @ej_program__v4], align 16

; Function Attrs: nounwind optsize uwtable
define range(i64 1, 5) i64 @ej_level() local_unnamed_addr {
  %1 = load i64, ptr @level, align 8
  %2 = icmp eq i64 %1, 0
  br i1 %2, label %3, label %42

3:                                                ; preds = %0
  %4 = tail call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}"(i32 0, i32 0)
  %5 = extractvalue { i32, i32, i32, i32 } %4, 0
  %6 = tail call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}"(i32 1, i32 0)
  %7 = extractvalue { i32, i32, i32, i32 } %6, 2
  %8 = tail call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}"(i32 -2147483647, i32 0)
  %9 = extractvalue { i32, i32, i32, i32 } %8, 2
  %10 = and i32 %7, 9970177
  %11 = icmp ne i32 %10, 9970177
  %12 = and i32 %9, 1
  %13 = icmp eq i32 %12, 0
  %14 = select i1 %11, i1 true, i1 %13
  br i1 %14, label %40, label %15

15:                                               ; preds = %3
  %16 = and i32 %7, 943722496
  %17 = icmp eq i32 %16, 943722496
  br i1 %17, label %18, label %40

18:                                               ; preds = %15
  %19 = and i32 %9, 32
  %20 = icmp eq i32 %19, 0
  %21 = icmp ult i32 %5, 7
  %22 = select i1 %20, i1 true, i1 %21
  br i1 %22, label %40, label %23

23:                                               ; preds = %18
  %24 = tail call { i32, i32 } asm sideeffect "xgetbv", "={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}"(i32 0)
  %25 = extractvalue { i32, i32 } %24, 0
  %26 = tail call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}"(i32 7, i32 0)
  %27 = extractvalue { i32, i32, i32, i32 } %26, 1
  %28 = and i32 %25, 6
  %29 = icmp eq i32 %28, 6
  %30 = and i32 %27, 296
  %31 = icmp eq i32 %30, 296
  %32 = select i1 %29, i1 %31, i1 false
  br i1 %32, label %33, label %40

33:                                               ; preds = %23
  %34 = and i32 %25, 230
  %35 = icmp eq i32 %34, 230
  br i1 %35, label %36, label %40

36:                                               ; preds = %33
  %37 = and i32 %27, -805109760
  %38 = icmp eq i32 %37, -805109760
  %39 = select i1 %38, i64 4, i64 3
  br label %40

40:                                               ; preds = %3, %15, %18, %23, %33, %36
  %41 = phi i64 [ 1, %3 ], [ 3, %33 ], [ 2, %23 ], [ 2, %15 ], [ %39, %36 ], [ 2, %18 ]
  store i64 %41, ptr @level, align 8
  br label %42

42:                                               ; preds = %0, %40
  %43 = phi i64 [ %41, %40 ], [ %1, %0 ]
  ret i64 %43
}

; Function Attrs: nounwind optsize uwtable
define i32 @ej_run(ptr noundef readonly captures(none) %0) local_unnamed_addr {
  %2 = alloca %struct.ej_error, align 8
  call void @llvm.lifetime.start.p0(ptr nonnull %2)
  call void @llvm.memcpy.p0.p0.i64(ptr noundef nonnull align 8 dereferenceable(24) %2, ptr noundef nonnull align 8 dereferenceable(24) @__const.ej_run.own, i64 24, i1 false)
  %3 = load i32, ptr %0, align 8
  %4 = icmp ult i32 %3, 96
  br i1 %4, label %61, label %5

5:                                                ; preds = %1
  %6 = getelementptr inbounds nuw i8, ptr %0, i64 4
  %7 = load i32, ptr %6, align 4
  %8 = icmp eq i32 %7, 1
  br i1 %8, label %9, label %61

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
  %20 = tail call i64 @ej_level()
  %21 = icmp eq i64 %19, 0
  br i1 %21, label %22, label %24

22:                                               ; preds = %9
  %23 = icmp samesign ult i64 %20, 2
  br i1 %23, label %42, label %31

24:                                               ; preds = %9
  %25 = icmp slt i64 %19, 2
  %26 = icmp samesign ugt i64 %19, %20
  %27 = select i1 %25, i1 true, i1 %26
  br i1 %27, label %42, label %37

28:                                               ; preds = %31
  %29 = add nsw i64 %32, -1
  %30 = icmp slt i64 %32, 3
  br i1 %30, label %42, label %31

31:                                               ; preds = %22, %28
  %32 = phi i64 [ %29, %28 ], [ %20, %22 ]
  %33 = getelementptr ptr, ptr @__const.pick.levels, i64 %32
  %34 = getelementptr i8, ptr %33, i64 -16
  %35 = load ptr, ptr %34, align 8
  %36 = icmp eq ptr %35, null
  br i1 %36, label %28, label %43

37:                                               ; preds = %24
  %38 = getelementptr ptr, ptr @__const.pick.levels, i64 %19
  %39 = getelementptr i8, ptr %38, i64 -16
  %40 = load ptr, ptr %39, align 8
  %41 = icmp eq ptr %40, null
  br i1 %41, label %42, label %43

42:                                               ; preds = %28, %22, %24, %37
  store i64 3, ptr %13, align 8
  br label %61

43:                                               ; preds = %31, %37
  %44 = phi ptr [ %40, %37 ], [ %35, %31 ]
  %45 = getelementptr inbounds nuw i8, ptr %0, i64 8
  %46 = load ptr, ptr %45, align 8
  %47 = getelementptr inbounds nuw i8, ptr %0, i64 16
  %48 = load ptr, ptr %47, align 8
  %49 = getelementptr inbounds nuw i8, ptr %0, i64 24
  %50 = load ptr, ptr %49, align 8
  %51 = getelementptr inbounds nuw i8, ptr %0, i64 40
  %52 = load ptr, ptr %51, align 8
  %53 = getelementptr inbounds nuw i8, ptr %0, i64 48
  %54 = load ptr, ptr %53, align 8
  %55 = getelementptr inbounds nuw i8, ptr %0, i64 56
  %56 = load ptr, ptr %55, align 8
  %57 = getelementptr inbounds nuw i8, ptr %0, i64 72
  %58 = load ptr, ptr %57, align 8
  %59 = call i64 %44(ptr noundef %46, ptr noundef %48, ptr noundef %50, ptr noundef %52, ptr noundef %54, ptr noundef %56, ptr noundef %58, ptr noundef nonnull %13)
  %60 = trunc i64 %59 to i32
  br label %61

61:                                               ; preds = %42, %43, %1, %5
  %62 = phi i32 [ 1, %1 ], [ 1, %5 ], [ %60, %43 ], [ 3, %42 ]
  call void @llvm.lifetime.end.p0(ptr nonnull %2)
  ret i32 %62
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(ptr captures(none))

; Function Attrs: mustprogress nocallback nofree nounwind willreturn memory(argmem: readwrite)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly captures(none), ptr noalias readonly captures(none), i64, i1 immarg)

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(ptr captures(none))

; Function Attrs: optsize
declare extern_weak i64 @ej_program__v2(ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef)

; Function Attrs: optsize
declare extern_weak i64 @ej_program__v3(ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef)

; Function Attrs: optsize
declare extern_weak i64 @ej_program__v4(ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef, ptr noundef)
