source_filename = "pool.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i8:8:32-i16:16:32-i64:64-i128:128-n32:64-S128-Fn32"
target triple = "aarch64-unknown-linux5.10.0-gnu2.31.0"

%struct.ej_pool = type { ptr, i64 }

@head = internal global %struct.ej_pool zeroinitializer, align 8
@workers = internal unnamed_addr global i64 0, align 8
@left = internal global i64 0, align 64
@done = internal global i64 0, align 64
@generation = internal global i32 0, align 64
@sleepers = internal global i32 0, align 64
@busy = internal global i32 0, align 64
@job = internal unnamed_addr global ptr null, align 8
@job_table = internal unnamed_addr global ptr null, align 8
@job_size = internal unnamed_addr global i64 0, align 8

; Function Attrs: mustprogress nofree norecurse nosync nounwind optsize willreturn memory(readwrite, argmem: none, inaccessiblemem: none, target_mem0: none, target_mem1: none) uwtable
define noundef nonnull ptr @ej_pool_start(i64 noundef %0) local_unnamed_addr {
  store ptr @parallel_for, ptr @head, align 8
  %2 = tail call i64 @llvm.smin.i64(i64 %0, i64 256)
  %3 = load i64, ptr getelementptr inbounds nuw (i8, ptr @head, i64 8), align 8
  %4 = icmp sgt i64 %2, %3
  br i1 %4, label %5, label %6

5:                                                ; preds = %1
  store i64 %2, ptr getelementptr inbounds nuw (i8, ptr @head, i64 8), align 8
  br label %6

6:                                                ; preds = %5, %1
  ret ptr @head
}

; Function Attrs: nounwind optsize uwtable
define internal void @parallel_for(ptr readnone captures(none) %0, ptr noundef %1, ptr noundef %2, i64 noundef %3) {
  %5 = alloca i64, align 8
  %6 = load i64, ptr getelementptr inbounds nuw (i8, ptr @head, i64 8), align 8
  %7 = icmp slt i64 %6, 2
  br i1 %7, label %11, label %8

8:                                                ; preds = %4
  %9 = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic, align 64
  %10 = extractvalue { i32, i1 } %9, 1
  br i1 %10, label %17, label %11

11:                                               ; preds = %8, %4
  %12 = icmp sgt i64 %3, 0
  br i1 %12, label %13, label %66

13:                                               ; preds = %11, %13
  %14 = phi i64 [ %15, %13 ], [ 0, %11 ]
  tail call void %1(ptr noundef %2, i64 noundef %14, i64 noundef %3)
  %15 = add nuw nsw i64 %14, 1
  %16 = icmp eq i64 %15, %3
  br i1 %16, label %66, label %13

17:                                               ; preds = %8
  %18 = load i64, ptr @workers, align 8
  %19 = load i64, ptr getelementptr inbounds nuw (i8, ptr @head, i64 8), align 8
  %20 = add nsw i64 %19, -1
  %21 = icmp slt i64 %18, %20
  br i1 %21, label %22, label %40

22:                                               ; preds = %17
  call void @llvm.lifetime.start.p0(ptr nonnull %5)
  %23 = icmp eq ptr @pthread_create, null
  br i1 %23, label %36, label %24

24:                                               ; preds = %22, %29
  %25 = call i32 @pthread_create(ptr noundef nonnull %5, ptr noundef null, ptr noundef nonnull @work, ptr noundef null)
  %26 = icmp eq i32 %25, 0
  %27 = load i64, ptr @workers, align 8
  %28 = load i64, ptr getelementptr inbounds nuw (i8, ptr @head, i64 8), align 8
  br i1 %26, label %29, label %33

29:                                               ; preds = %24
  %30 = add nsw i64 %27, 1
  store i64 %30, ptr @workers, align 8
  %31 = add nsw i64 %28, -1
  %32 = icmp slt i64 %30, %31
  br i1 %32, label %24, label %39

33:                                               ; preds = %24
  %34 = add nsw i64 %28, -1
  %35 = icmp slt i64 %27, %34
  br i1 %35, label %36, label %39

36:                                               ; preds = %22, %33
  %37 = phi i64 [ %27, %33 ], [ %18, %22 ]
  %38 = add nsw i64 %37, 1
  store i64 %38, ptr getelementptr inbounds nuw (i8, ptr @head, i64 8), align 8
  br label %39

39:                                               ; preds = %29, %33, %36
  call void @llvm.lifetime.end.p0(ptr nonnull %5)
  br label %40

40:                                               ; preds = %39, %17
  %41 = load atomic i64, ptr @left monotonic, align 64
  %42 = and i64 %41, -4294967296
  %43 = ptrtoint ptr %1 to i64
  store atomic i64 %43, ptr @job monotonic, align 8
  %44 = ptrtoint ptr %2 to i64
  store atomic i64 %44, ptr @job_table monotonic, align 8
  store atomic i64 %3, ptr @job_size monotonic, align 8
  store atomic i64 0, ptr @done monotonic, align 64
  %45 = add i64 %42, 4294967296
  %46 = or i64 %45, %3
  store atomic i64 %46, ptr @left release, align 64
  %47 = atomicrmw add ptr @generation, i32 1 seq_cst, align 64
  %48 = load atomic i32, ptr @sleepers seq_cst, align 64
  %49 = icmp eq i32 %48, 0
  br i1 %49, label %52, label %50

50:                                               ; preds = %40
  %51 = call i64 (i64, ...) @syscall(i64 noundef 98, ptr noundef nonnull @generation, i32 noundef 129, i32 noundef 256, ptr noundef null, ptr noundef null, i32 noundef 0)
  br label %52

52:                                               ; preds = %50, %40
  call fastcc void @drain()
  %53 = load atomic i64, ptr @done acquire, align 64
  %54 = icmp eq i64 %53, %3
  br i1 %54, label %55, label %56

55:                                               ; preds = %62, %52
  store atomic i32 0, ptr @busy release, align 64
  br label %66

56:                                               ; preds = %52, %62
  %57 = phi i32 [ %63, %62 ], [ 0, %52 ]
  %58 = icmp samesign ult i32 %57, 3000
  br i1 %58, label %59, label %60

59:                                               ; preds = %56
  call void @llvm.aarch64.hint(i32 1)
  br label %62

60:                                               ; preds = %56
  %61 = call i64 (i64, ...) @syscall(i64 noundef 124)
  br label %62

62:                                               ; preds = %59, %60
  %63 = add nuw nsw i32 %57, 1
  %64 = load atomic i64, ptr @done acquire, align 64
  %65 = icmp eq i64 %64, %3
  br i1 %65, label %55, label %56

66:                                               ; preds = %13, %11, %55
  ret void
}

; Function Attrs: mustprogress nofree norecurse nosync nounwind optsize willreturn memory(write, argmem: none, inaccessiblemem: none, target_mem0: none, target_mem1: none) uwtable
define void @ej_pool_after_fork() local_unnamed_addr {
  store i64 0, ptr @workers, align 8
  store i64 0, ptr @left, align 64
  store i64 0, ptr @done, align 64
  store i32 0, ptr @generation, align 64
  store i32 0, ptr @sleepers, align 64
  store i32 0, ptr @busy, align 64
  ret void
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(ptr captures(none))

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(ptr captures(none))

; Function Attrs: optsize
declare i64 @syscall(i64 noundef, ...) local_unnamed_addr

; Function Attrs: nounwind optsize uwtable
define internal fastcc void @drain() unnamed_addr {
  %1 = load atomic i64, ptr @left acquire, align 64
  %2 = and i64 %1, 4294967295
  %3 = icmp eq i64 %2, 0
  br i1 %3, label %22, label %4

4:                                                ; preds = %0, %18
  %5 = phi i64 [ %20, %18 ], [ %2, %0 ]
  %6 = phi i64 [ %19, %18 ], [ %1, %0 ]
  %7 = load atomic i64, ptr @job monotonic, align 8
  %8 = load atomic i64, ptr @job_table monotonic, align 8
  %9 = load atomic i64, ptr @job_size monotonic, align 8
  %10 = add i64 %6, -1
  %11 = cmpxchg ptr @left, i64 %6, i64 %10 acq_rel acquire, align 64
  %12 = extractvalue { i64, i1 } %11, 1
  br i1 %12, label %13, label %18

13:                                               ; preds = %4
  %14 = inttoptr i64 %8 to ptr
  %15 = inttoptr i64 %7 to ptr
  %16 = sub nsw i64 %9, %5
  tail call void %15(ptr noundef %14, i64 noundef %16, i64 noundef %9)
  %17 = atomicrmw add ptr @done, i64 1 acq_rel, align 64
  br label %18

18:                                               ; preds = %13, %4
  %19 = load atomic i64, ptr @left acquire, align 64
  %20 = and i64 %19, 4294967295
  %21 = icmp eq i64 %20, 0
  br i1 %21, label %22, label %4

22:                                               ; preds = %18, %0
  ret void
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn
declare void @llvm.aarch64.hint(i32)

; Function Attrs: optsize
declare extern_weak i32 @pthread_create(ptr noundef, ptr noundef, ptr noundef, ptr noundef)

; Function Attrs: noreturn nounwind optsize uwtable
define internal noalias noundef nonnull ptr @work(ptr readnone captures(none) %0) {
  br label %2

2:                                                ; preds = %22, %1
  %3 = phi i32 [ 0, %1 ], [ %23, %22 ]
  br label %4

4:                                                ; preds = %2, %8
  %5 = phi i32 [ 0, %2 ], [ %9, %8 ]
  %6 = load atomic i32, ptr @generation acquire, align 64
  %7 = icmp eq i32 %6, %3
  br i1 %7, label %8, label %22

8:                                                ; preds = %4
  tail call void @llvm.aarch64.hint(i32 1)
  %9 = add nuw nsw i32 %5, 1
  %10 = icmp eq i32 %9, 3000
  br i1 %10, label %11, label %4

11:                                               ; preds = %8
  %12 = atomicrmw add ptr @sleepers, i32 1 seq_cst, align 64
  %13 = load atomic i32, ptr @generation seq_cst, align 64
  %14 = icmp eq i32 %13, %3
  br i1 %14, label %15, label %19

15:                                               ; preds = %11, %15
  %16 = tail call i64 (i64, ...) @syscall(i64 noundef 98, ptr noundef nonnull @generation, i32 noundef 128, i32 noundef %3, ptr noundef null, ptr noundef null, i32 noundef 0)
  %17 = load atomic i32, ptr @generation seq_cst, align 64
  %18 = icmp eq i32 %17, %3
  br i1 %18, label %15, label %19

19:                                               ; preds = %15, %11
  %20 = phi i32 [ %13, %11 ], [ %17, %15 ]
  %21 = atomicrmw sub ptr @sleepers, i32 1 seq_cst, align 64
  br label %22

22:                                               ; preds = %4, %19
  %23 = phi i32 [ %20, %19 ], [ %6, %4 ]
  tail call fastcc void @drain()
  br label %2
}

; Function Attrs: nocallback nocreateundeforpoison nofree nosync nounwind speculatable willreturn memory(none)
declare i64 @llvm.smin.i64(i64, i64)
