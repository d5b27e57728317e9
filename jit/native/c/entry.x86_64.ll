source_filename = "entry.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-unknown-linux5.10.0-gnu2.31.0"

%struct.anon = type { ptr, ptr }
%struct.ej_error = type { i64, i64, i64 }
%struct.ej_call = type { i32, i32, ptr, ptr, ptr, i64, ptr, ptr, ptr, ptr, ptr, ptr, i64 }
%struct.Port = type { i64, i64, [8 x i64] }

@ej_entry_slots = local_unnamed_addr global %struct.anon zeroinitializer, align 8

; Function Attrs: nounwind optsize uwtable
define ptr @ej_entry(ptr noundef readonly captures(none) %0, ptr noundef %1, i64 noundef %2) local_unnamed_addr {
  %4 = alloca [64 x ptr], align 16
  %5 = alloca [64 x ptr], align 16
  %6 = alloca [64 x ptr], align 16
  %7 = alloca [8 x i64], align 16
  %8 = alloca [8 x i64], align 16
  %9 = alloca %struct.ej_error, align 8
  %10 = alloca %struct.ej_call, align 8
  %11 = getelementptr inbounds nuw i8, ptr %0, i64 16
  %12 = load ptr, ptr %11, align 8
  call void @llvm.lifetime.start.p0(ptr nonnull %4)
  call void @llvm.lifetime.start.p0(ptr nonnull %5)
  call void @llvm.lifetime.start.p0(ptr nonnull %6)
  call void @llvm.lifetime.start.p0(ptr nonnull %7)
  %13 = getelementptr inbounds nuw i8, ptr %12, i64 96
  %14 = load i64, ptr %13, align 8
  %15 = icmp eq i64 %2, %14
  br i1 %15, label %16, label %245

16:                                               ; preds = %3
  %17 = getelementptr inbounds nuw i8, ptr %12, i64 56
  %18 = load ptr, ptr %17, align 8
  %19 = load i64, ptr %18, align 8
  %20 = getelementptr inbounds nuw i8, ptr %12, i64 64
  %21 = load i64, ptr %20, align 8
  %22 = icmp eq i64 %19, %21
  br i1 %22, label %23, label %245

23:                                               ; preds = %16
  %24 = getelementptr inbounds nuw i8, ptr %12, i64 48
  %25 = atomicrmw xchg ptr %24, i64 1 acquire, align 8
  %26 = icmp eq i64 %25, 0
  br i1 %26, label %27, label %245

27:                                               ; preds = %23
  %28 = getelementptr inbounds nuw i8, ptr %12, i64 112
  %29 = load i64, ptr %28, align 8
  %30 = icmp sgt i64 %29, 0
  br i1 %30, label %40, label %31

31:                                               ; preds = %40, %27
  %32 = load i64, ptr %13, align 8
  %33 = icmp sgt i64 %32, 0
  br i1 %33, label %34, label %45

34:                                               ; preds = %31
  %35 = getelementptr inbounds nuw i8, ptr %12, i64 312
  %36 = load ptr, ptr @ej_entry_slots, align 8
  %37 = getelementptr inbounds nuw i8, ptr %12, i64 120
  %38 = getelementptr inbounds nuw i8, ptr %12, i64 184
  %39 = getelementptr inbounds nuw i8, ptr %12, i64 248
  br label %46

40:                                               ; preds = %27, %40
  %41 = phi i64 [ %43, %40 ], [ 0, %27 ]
  %42 = getelementptr inbounds nuw i64, ptr %7, i64 %41
  store i64 -1, ptr %42, align 8
  %43 = add nuw nsw i64 %41, 1
  %44 = icmp slt i64 %43, %29
  br i1 %44, label %40, label %31

45:                                               ; preds = %110, %31
  br i1 %30, label %122, label %116

46:                                               ; preds = %34, %110
  %47 = phi i64 [ 0, %34 ], [ %114, %110 ]
  %48 = getelementptr inbounds nuw %struct.Port, ptr %35, i64 %47
  %49 = getelementptr inbounds nuw ptr, ptr %1, i64 %47
  %50 = load ptr, ptr %49, align 8
  %51 = getelementptr inbounds nuw i8, ptr %50, i64 8
  %52 = load ptr, ptr %51, align 8
  %53 = icmp eq ptr %52, %36
  br i1 %53, label %54, label %244

54:                                               ; preds = %46
  %55 = getelementptr inbounds nuw i8, ptr %50, i64 56
  %56 = load ptr, ptr %55, align 8
  %57 = ptrtoint ptr %56 to i64
  %58 = load i64, ptr %48, align 8
  %59 = icmp eq i64 %58, %57
  br i1 %59, label %60, label %244

60:                                               ; preds = %54
  %61 = getelementptr inbounds nuw i8, ptr %50, i64 64
  %62 = load i32, ptr %61, align 8
  %63 = and i32 %62, 257
  %64 = icmp eq i32 %63, 257
  br i1 %64, label %65, label %244

65:                                               ; preds = %60
  %66 = getelementptr inbounds nuw i8, ptr %50, i64 24
  %67 = load i32, ptr %66, align 8
  %68 = sext i32 %67 to i64
  %69 = getelementptr inbounds nuw i8, ptr %48, i64 8
  %70 = load i64, ptr %69, align 8
  %71 = icmp eq i64 %70, %68
  br i1 %71, label %72, label %244

72:                                               ; preds = %65
  %73 = icmp sgt i32 %67, 0
  br i1 %73, label %74, label %110

74:                                               ; preds = %72
  %75 = getelementptr inbounds nuw i8, ptr %48, i64 16
  %76 = getelementptr inbounds nuw i8, ptr %50, i64 32
  %77 = load ptr, ptr %76, align 8
  br label %78

78:                                               ; preds = %107, %74
  %79 = phi i64 [ 0, %74 ], [ %108, %107 ]
  %80 = getelementptr inbounds nuw i64, ptr %75, i64 %79
  %81 = load i64, ptr %80, align 8
  %82 = getelementptr inbounds nuw i64, ptr %77, i64 %79
  %83 = load i64, ptr %82, align 8
  %84 = icmp sgt i64 %81, -1
  br i1 %84, label %85, label %87

85:                                               ; preds = %78
  %86 = icmp eq i64 %81, %83
  br i1 %86, label %107, label %244

87:                                               ; preds = %78
  %88 = xor i64 %81, -1
  %89 = getelementptr inbounds nuw i64, ptr %7, i64 %88
  %90 = load i64, ptr %89, align 8
  %91 = icmp slt i64 %90, 0
  br i1 %91, label %92, label %105

92:                                               ; preds = %87
  %93 = getelementptr inbounds nuw i64, ptr %37, i64 %88
  %94 = load i64, ptr %93, align 8
  %95 = icmp slt i64 %83, %94
  br i1 %95, label %244, label %96

96:                                               ; preds = %92
  %97 = getelementptr inbounds nuw i64, ptr %38, i64 %88
  %98 = load i64, ptr %97, align 8
  %99 = icmp sgt i64 %83, %98
  br i1 %99, label %244, label %100

100:                                              ; preds = %96
  %101 = getelementptr inbounds nuw i64, ptr %39, i64 %88
  %102 = load i64, ptr %101, align 8
  %103 = icmp sgt i64 %83, %102
  br i1 %103, label %244, label %104

104:                                              ; preds = %100
  store i64 %83, ptr %89, align 8
  br label %107

105:                                              ; preds = %87
  %106 = icmp eq i64 %90, %83
  br i1 %106, label %107, label %244

107:                                              ; preds = %105, %104, %85
  %108 = add nuw nsw i64 %79, 1
  %109 = icmp slt i64 %108, %68
  br i1 %109, label %78, label %110

110:                                              ; preds = %107, %72
  %111 = getelementptr inbounds nuw i8, ptr %50, i64 16
  %112 = load ptr, ptr %111, align 8
  %113 = getelementptr inbounds nuw ptr, ptr %4, i64 %47
  store ptr %112, ptr %113, align 8
  %114 = add nuw nsw i64 %47, 1
  %115 = icmp slt i64 %114, %32
  br i1 %115, label %46, label %45

116:                                              ; preds = %122, %45
  %117 = phi i64 [ 1, %45 ], [ %127, %122 ]
  %118 = getelementptr inbounds nuw i8, ptr %12, i64 104
  %119 = getelementptr inbounds nuw i8, ptr %12, i64 312
  %120 = load i64, ptr %118, align 8
  %121 = icmp sgt i64 %120, 0
  br i1 %121, label %130, label %180

122:                                              ; preds = %45, %122
  %123 = phi i64 [ %127, %122 ], [ 1, %45 ]
  %124 = phi i64 [ %128, %122 ], [ 0, %45 ]
  %125 = getelementptr inbounds nuw i64, ptr %7, i64 %124
  %126 = load i64, ptr %125, align 8
  %127 = mul nsw i64 %126, %123
  %128 = add nuw nsw i64 %124, 1
  %129 = icmp eq i64 %128, %29
  br i1 %129, label %116, label %122

130:                                              ; preds = %116, %173
  %131 = phi i64 [ %177, %173 ], [ 0, %116 ]
  %132 = load i64, ptr %13, align 8
  %133 = getelementptr %struct.Port, ptr %119, i64 %132
  %134 = getelementptr %struct.Port, ptr %133, i64 %131
  call void @llvm.lifetime.start.p0(ptr nonnull %8)
  %135 = getelementptr inbounds nuw i8, ptr %134, i64 8
  %136 = load i64, ptr %135, align 8
  %137 = icmp sgt i64 %136, 0
  br i1 %137, label %138, label %140

138:                                              ; preds = %130
  %139 = getelementptr inbounds nuw i8, ptr %134, i64 16
  br label %153

140:                                              ; preds = %162, %130
  %141 = load i64, ptr %134, align 8
  %142 = inttoptr i64 %141 to ptr
  call void @Py_IncRef(ptr noundef %142)
  %143 = load ptr, ptr getelementptr inbounds nuw (i8, ptr @ej_entry_slots, i64 8), align 8
  %144 = load i64, ptr %135, align 8
  %145 = trunc i64 %144 to i32
  %146 = load i64, ptr %134, align 8
  %147 = inttoptr i64 %146 to ptr
  %148 = call ptr %143(i32 noundef %145, ptr noundef nonnull %8, ptr noundef %147, i32 noundef 0)
  %149 = getelementptr inbounds nuw ptr, ptr %6, i64 %131
  store ptr %148, ptr %149, align 8
  %150 = icmp eq ptr %148, null
  br i1 %150, label %151, label %173

151:                                              ; preds = %140
  %152 = icmp eq i64 %131, 0
  br i1 %152, label %249, label %167

153:                                              ; preds = %138, %162
  %154 = phi i64 [ 0, %138 ], [ %165, %162 ]
  %155 = getelementptr inbounds nuw i64, ptr %139, i64 %154
  %156 = load i64, ptr %155, align 8
  %157 = icmp slt i64 %156, 0
  br i1 %157, label %158, label %162

158:                                              ; preds = %153
  %159 = xor i64 %156, -1
  %160 = getelementptr inbounds nuw i64, ptr %7, i64 %159
  %161 = load i64, ptr %160, align 8
  br label %162

162:                                              ; preds = %153, %158
  %163 = phi i64 [ %161, %158 ], [ %156, %153 ]
  %164 = getelementptr inbounds nuw i64, ptr %8, i64 %154
  store i64 %163, ptr %164, align 8
  %165 = add nuw nsw i64 %154, 1
  %166 = icmp slt i64 %165, %136
  br i1 %166, label %153, label %140

167:                                              ; preds = %151, %167
  %168 = phi i64 [ %169, %167 ], [ %131, %151 ]
  %169 = add nsw i64 %168, -1
  %170 = getelementptr inbounds ptr, ptr %6, i64 %169
  %171 = load ptr, ptr %170, align 8
  call void @Py_DecRef(ptr noundef %171)
  %172 = icmp eq i64 %169, 0
  br i1 %172, label %249, label %167

173:                                              ; preds = %140
  %174 = getelementptr inbounds nuw i8, ptr %148, i64 16
  %175 = load ptr, ptr %174, align 8
  %176 = getelementptr inbounds nuw ptr, ptr %5, i64 %131
  store ptr %175, ptr %176, align 8
  %177 = add nuw nsw i64 %131, 1
  call void @llvm.lifetime.end.p0(ptr nonnull %8)
  %178 = load i64, ptr %118, align 8
  %179 = icmp slt i64 %177, %178
  br i1 %179, label %130, label %180

180:                                              ; preds = %173, %116
  store i32 96, ptr %10, align 8
  %181 = getelementptr inbounds nuw i8, ptr %10, i64 4
  store i32 1, ptr %181, align 4
  %182 = getelementptr inbounds nuw i8, ptr %10, i64 8
  %183 = getelementptr inbounds nuw i8, ptr %12, i64 8
  %184 = load ptr, ptr %183, align 8
  store ptr %184, ptr %182, align 8
  %185 = getelementptr inbounds nuw i8, ptr %10, i64 16
  %186 = getelementptr inbounds nuw i8, ptr %12, i64 16
  %187 = load ptr, ptr %186, align 8
  store ptr %187, ptr %185, align 8
  %188 = getelementptr inbounds nuw i8, ptr %10, i64 24
  %189 = getelementptr inbounds nuw i8, ptr %12, i64 24
  %190 = load ptr, ptr %189, align 8
  store ptr %190, ptr %188, align 8
  %191 = getelementptr inbounds nuw i8, ptr %10, i64 32
  %192 = getelementptr inbounds nuw i8, ptr %12, i64 32
  %193 = load i64, ptr %192, align 8
  store i64 %193, ptr %191, align 8
  %194 = getelementptr inbounds nuw i8, ptr %10, i64 40
  store ptr %4, ptr %194, align 8
  %195 = getelementptr inbounds nuw i8, ptr %10, i64 48
  store ptr %5, ptr %195, align 8
  %196 = getelementptr inbounds nuw i8, ptr %10, i64 56
  store ptr %7, ptr %196, align 8
  %197 = getelementptr inbounds nuw i8, ptr %10, i64 64
  store ptr null, ptr %197, align 8
  %198 = getelementptr inbounds nuw i8, ptr %10, i64 72
  %199 = getelementptr inbounds nuw i8, ptr %12, i64 80
  %200 = load ptr, ptr %199, align 8
  store ptr %200, ptr %198, align 8
  %201 = getelementptr inbounds nuw i8, ptr %10, i64 80
  store ptr %9, ptr %201, align 8
  %202 = getelementptr inbounds nuw i8, ptr %10, i64 88
  %203 = getelementptr inbounds nuw i8, ptr %12, i64 88
  %204 = load i64, ptr %203, align 8
  store i64 %204, ptr %202, align 8
  %205 = getelementptr inbounds nuw i8, ptr %12, i64 72
  %206 = load i64, ptr %205, align 8
  %207 = icmp slt i64 %117, %206
  br i1 %207, label %208, label %211

208:                                              ; preds = %180
  %209 = load ptr, ptr %12, align 8
  %210 = call i32 %209(ptr noundef nonnull %10)
  br label %215

211:                                              ; preds = %180
  %212 = call ptr @PyEval_SaveThread()
  %213 = load ptr, ptr %12, align 8
  %214 = call i32 %213(ptr noundef nonnull %10)
  call void @PyEval_RestoreThread(ptr noundef %212)
  br label %215

215:                                              ; preds = %211, %208
  %216 = phi i32 [ %210, %208 ], [ %214, %211 ]
  store atomic i64 0, ptr %24 release, align 8
  %217 = icmp eq i32 %216, 0
  %218 = load i64, ptr %118, align 8
  br i1 %217, label %228, label %219

219:                                              ; preds = %215
  %220 = icmp sgt i64 %218, 0
  br i1 %220, label %221, label %245

221:                                              ; preds = %219, %221
  %222 = phi i64 [ %225, %221 ], [ 0, %219 ]
  %223 = getelementptr inbounds nuw ptr, ptr %6, i64 %222
  %224 = load ptr, ptr %223, align 8
  call void @Py_DecRef(ptr noundef %224)
  %225 = add nuw nsw i64 %222, 1
  %226 = load i64, ptr %118, align 8
  %227 = icmp slt i64 %225, %226
  br i1 %227, label %221, label %245

228:                                              ; preds = %215
  %229 = icmp eq i64 %218, 1
  br i1 %229, label %230, label %232

230:                                              ; preds = %228
  %231 = load ptr, ptr %6, align 16
  br label %250

232:                                              ; preds = %228
  %233 = call ptr @PyTuple_New(i64 noundef %218)
  %234 = load i64, ptr %118, align 8
  %235 = icmp sgt i64 %234, 0
  br i1 %235, label %236, label %250

236:                                              ; preds = %232, %236
  %237 = phi i64 [ %241, %236 ], [ 0, %232 ]
  %238 = getelementptr inbounds nuw ptr, ptr %6, i64 %237
  %239 = load ptr, ptr %238, align 8
  %240 = call i32 @PyTuple_SetItem(ptr noundef %233, i64 noundef %237, ptr noundef %239)
  %241 = add nuw nsw i64 %237, 1
  %242 = load i64, ptr %118, align 8
  %243 = icmp slt i64 %241, %242
  br i1 %243, label %236, label %250

244:                                              ; preds = %54, %46, %65, %60, %105, %96, %100, %92, %85
  store atomic i64 0, ptr %24 release, align 8
  br label %245

245:                                              ; preds = %221, %219, %3, %16, %23, %244
  %246 = getelementptr inbounds nuw i8, ptr %12, i64 40
  %247 = load ptr, ptr %246, align 8
  %248 = call ptr @PyObject_Vectorcall(ptr noundef %247, ptr noundef %1, i64 noundef %2, ptr noundef null)
  br label %250

249:                                              ; preds = %167, %151
  store i64 0, ptr %24, align 8
  call void @llvm.lifetime.end.p0(ptr nonnull %8)
  br label %250

250:                                              ; preds = %236, %249, %232, %245, %230
  %251 = phi ptr [ %248, %245 ], [ %233, %232 ], [ %231, %230 ], [ null, %249 ], [ %233, %236 ]
  call void @llvm.lifetime.end.p0(ptr nonnull %7)
  call void @llvm.lifetime.end.p0(ptr nonnull %6)
  call void @llvm.lifetime.end.p0(ptr nonnull %5)
  call void @llvm.lifetime.end.p0(ptr nonnull %4)
  ret ptr %251
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(ptr captures(none))

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(ptr captures(none))

; Function Attrs: optsize
declare void @Py_IncRef(ptr noundef) local_unnamed_addr

; Function Attrs: optsize
declare void @Py_DecRef(ptr noundef) local_unnamed_addr

; Function Attrs: optsize
declare ptr @PyEval_SaveThread() local_unnamed_addr

; Function Attrs: optsize
declare void @PyEval_RestoreThread(ptr noundef) local_unnamed_addr

; Function Attrs: optsize
declare ptr @PyTuple_New(i64 noundef) local_unnamed_addr

; Function Attrs: optsize
declare i32 @PyTuple_SetItem(ptr noundef, i64 noundef, ptr noundef) local_unnamed_addr

; Function Attrs: optsize
declare ptr @PyObject_Vectorcall(ptr noundef, ptr noundef, i64 noundef, ptr noundef) local_unnamed_addr
