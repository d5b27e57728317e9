source_filename = "entry.c"
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"
target triple = "x86_64-unknown-linux5.10.0-gnu2.31.0"

%struct.anon = type { ptr, ptr }
%struct.ej_error = type { i64, i64, i64 }
%struct.ej_call = type { i32, i32, ptr, ptr, ptr, i64, ptr, ptr, ptr, ptr, ptr, ptr, i64 }
%struct.Port = type { i64, i64, [8 x i64] }

@ej_entry_slots = local_unnamed_addr global %struct.anon zeroinitializer, align 8
@__const.ej_entry.error = private unnamed_addr constant %struct.ej_error { i64 0, i64 -1, i64 0 }, align 8

; Function Attrs: nounwind optsize uwtable
define ptr @ej_entry(ptr noundef readonly captures(none) %0, ptr noundef %1, i64 noundef %2) local_unnamed_addr {
  %4 = alloca [3 x i64], align 16
  %5 = alloca [3 x ptr], align 16
  %6 = alloca [64 x ptr], align 16
  %7 = alloca [64 x ptr], align 16
  %8 = alloca [64 x ptr], align 16
  %9 = alloca [8 x i64], align 16
  %10 = alloca [8 x i64], align 16
  %11 = alloca %struct.ej_error, align 8
  %12 = alloca %struct.ej_call, align 8
  %13 = getelementptr inbounds nuw i8, ptr %0, i64 16
  %14 = load ptr, ptr %13, align 8
  call void @llvm.lifetime.start.p0(ptr nonnull %6)
  call void @llvm.lifetime.start.p0(ptr nonnull %7)
  call void @llvm.lifetime.start.p0(ptr nonnull %8)
  call void @llvm.lifetime.start.p0(ptr nonnull %9)
  %15 = getelementptr inbounds nuw i8, ptr %14, i64 104
  %16 = load i64, ptr %15, align 8
  %17 = icmp eq i64 %2, %16
  br i1 %17, label %18, label %290

18:                                               ; preds = %3
  %19 = getelementptr inbounds nuw i8, ptr %14, i64 64
  %20 = load ptr, ptr %19, align 8
  %21 = load i64, ptr %20, align 8
  %22 = getelementptr inbounds nuw i8, ptr %14, i64 72
  %23 = load i64, ptr %22, align 8
  %24 = icmp eq i64 %21, %23
  br i1 %24, label %25, label %290

25:                                               ; preds = %18
  %26 = getelementptr inbounds nuw i8, ptr %14, i64 56
  %27 = atomicrmw xchg ptr %26, i64 1 acquire, align 8
  %28 = icmp eq i64 %27, 0
  br i1 %28, label %29, label %290

29:                                               ; preds = %25
  %30 = getelementptr inbounds nuw i8, ptr %14, i64 120
  %31 = load i64, ptr %30, align 8
  %32 = icmp sgt i64 %31, 0
  br i1 %32, label %42, label %33

33:                                               ; preds = %42, %29
  %34 = load i64, ptr %15, align 8
  %35 = icmp sgt i64 %34, 0
  br i1 %35, label %36, label %47

36:                                               ; preds = %33
  %37 = getelementptr inbounds nuw i8, ptr %14, i64 320
  %38 = load ptr, ptr @ej_entry_slots, align 8
  %39 = getelementptr inbounds nuw i8, ptr %14, i64 128
  %40 = getelementptr inbounds nuw i8, ptr %14, i64 192
  %41 = getelementptr inbounds nuw i8, ptr %14, i64 256
  br label %48

42:                                               ; preds = %29, %42
  %43 = phi i64 [ %45, %42 ], [ 0, %29 ]
  %44 = getelementptr inbounds nuw i64, ptr %9, i64 %43
  store i64 -1, ptr %44, align 8
  %45 = add nuw nsw i64 %43, 1
  %46 = icmp slt i64 %45, %31
  br i1 %46, label %42, label %33

47:                                               ; preds = %112, %33
  br i1 %32, label %124, label %118

48:                                               ; preds = %36, %112
  %49 = phi i64 [ 0, %36 ], [ %116, %112 ]
  %50 = getelementptr inbounds nuw %struct.Port, ptr %37, i64 %49
  %51 = getelementptr inbounds nuw ptr, ptr %1, i64 %49
  %52 = load ptr, ptr %51, align 8
  %53 = getelementptr inbounds nuw i8, ptr %52, i64 8
  %54 = load ptr, ptr %53, align 8
  %55 = icmp eq ptr %54, %38
  br i1 %55, label %56, label %289

56:                                               ; preds = %48
  %57 = getelementptr inbounds nuw i8, ptr %52, i64 56
  %58 = load ptr, ptr %57, align 8
  %59 = ptrtoint ptr %58 to i64
  %60 = load i64, ptr %50, align 8
  %61 = icmp eq i64 %60, %59
  br i1 %61, label %62, label %289

62:                                               ; preds = %56
  %63 = getelementptr inbounds nuw i8, ptr %52, i64 64
  %64 = load i32, ptr %63, align 8
  %65 = and i32 %64, 257
  %66 = icmp eq i32 %65, 257
  br i1 %66, label %67, label %289

67:                                               ; preds = %62
  %68 = getelementptr inbounds nuw i8, ptr %52, i64 24
  %69 = load i32, ptr %68, align 8
  %70 = sext i32 %69 to i64
  %71 = getelementptr inbounds nuw i8, ptr %50, i64 8
  %72 = load i64, ptr %71, align 8
  %73 = icmp eq i64 %72, %70
  br i1 %73, label %74, label %289

74:                                               ; preds = %67
  %75 = icmp sgt i32 %69, 0
  br i1 %75, label %76, label %112

76:                                               ; preds = %74
  %77 = getelementptr inbounds nuw i8, ptr %50, i64 16
  %78 = getelementptr inbounds nuw i8, ptr %52, i64 32
  %79 = load ptr, ptr %78, align 8
  br label %80

80:                                               ; preds = %109, %76
  %81 = phi i64 [ 0, %76 ], [ %110, %109 ]
  %82 = getelementptr inbounds nuw i64, ptr %77, i64 %81
  %83 = load i64, ptr %82, align 8
  %84 = getelementptr inbounds nuw i64, ptr %79, i64 %81
  %85 = load i64, ptr %84, align 8
  %86 = icmp sgt i64 %83, -1
  br i1 %86, label %87, label %89

87:                                               ; preds = %80
  %88 = icmp eq i64 %83, %85
  br i1 %88, label %109, label %289

89:                                               ; preds = %80
  %90 = xor i64 %83, -1
  %91 = getelementptr inbounds nuw i64, ptr %9, i64 %90
  %92 = load i64, ptr %91, align 8
  %93 = icmp slt i64 %92, 0
  br i1 %93, label %94, label %107

94:                                               ; preds = %89
  %95 = getelementptr inbounds nuw i64, ptr %39, i64 %90
  %96 = load i64, ptr %95, align 8
  %97 = icmp slt i64 %85, %96
  br i1 %97, label %289, label %98

98:                                               ; preds = %94
  %99 = getelementptr inbounds nuw i64, ptr %40, i64 %90
  %100 = load i64, ptr %99, align 8
  %101 = icmp sgt i64 %85, %100
  br i1 %101, label %289, label %102

102:                                              ; preds = %98
  %103 = getelementptr inbounds nuw i64, ptr %41, i64 %90
  %104 = load i64, ptr %103, align 8
  %105 = icmp sgt i64 %85, %104
  br i1 %105, label %289, label %106

106:                                              ; preds = %102
  store i64 %85, ptr %91, align 8
  br label %109

107:                                              ; preds = %89
  %108 = icmp eq i64 %92, %85
  br i1 %108, label %109, label %289

109:                                              ; preds = %107, %106, %87
  %110 = add nuw nsw i64 %81, 1
  %111 = icmp slt i64 %110, %70
  br i1 %111, label %80, label %112

112:                                              ; preds = %109, %74
  %113 = getelementptr inbounds nuw i8, ptr %52, i64 16
  %114 = load ptr, ptr %113, align 8
  %115 = getelementptr inbounds nuw ptr, ptr %6, i64 %49
  store ptr %114, ptr %115, align 8
  %116 = add nuw nsw i64 %49, 1
  %117 = icmp slt i64 %116, %34
  br i1 %117, label %48, label %47

118:                                              ; preds = %124, %47
  %119 = phi i64 [ 1, %47 ], [ %129, %124 ]
  %120 = getelementptr inbounds nuw i8, ptr %14, i64 112
  %121 = getelementptr inbounds nuw i8, ptr %14, i64 320
  %122 = load i64, ptr %120, align 8
  %123 = icmp sgt i64 %122, 0
  br i1 %123, label %132, label %182

124:                                              ; preds = %47, %124
  %125 = phi i64 [ %129, %124 ], [ 1, %47 ]
  %126 = phi i64 [ %130, %124 ], [ 0, %47 ]
  %127 = getelementptr inbounds nuw i64, ptr %9, i64 %126
  %128 = load i64, ptr %127, align 8
  %129 = mul nsw i64 %128, %125
  %130 = add nuw nsw i64 %126, 1
  %131 = icmp eq i64 %130, %31
  br i1 %131, label %118, label %124

132:                                              ; preds = %118, %175
  %133 = phi i64 [ %179, %175 ], [ 0, %118 ]
  %134 = load i64, ptr %15, align 8
  %135 = getelementptr %struct.Port, ptr %121, i64 %134
  %136 = getelementptr %struct.Port, ptr %135, i64 %133
  call void @llvm.lifetime.start.p0(ptr nonnull %10)
  %137 = getelementptr inbounds nuw i8, ptr %136, i64 8
  %138 = load i64, ptr %137, align 8
  %139 = icmp sgt i64 %138, 0
  br i1 %139, label %140, label %142

140:                                              ; preds = %132
  %141 = getelementptr inbounds nuw i8, ptr %136, i64 16
  br label %155

142:                                              ; preds = %164, %132
  %143 = load i64, ptr %136, align 8
  %144 = inttoptr i64 %143 to ptr
  call void @Py_IncRef(ptr noundef %144)
  %145 = load ptr, ptr getelementptr inbounds nuw (i8, ptr @ej_entry_slots, i64 8), align 8
  %146 = load i64, ptr %137, align 8
  %147 = trunc i64 %146 to i32
  %148 = load i64, ptr %136, align 8
  %149 = inttoptr i64 %148 to ptr
  %150 = call ptr %145(i32 noundef %147, ptr noundef nonnull %10, ptr noundef %149, i32 noundef 0)
  %151 = getelementptr inbounds nuw ptr, ptr %8, i64 %133
  store ptr %150, ptr %151, align 8
  %152 = icmp eq ptr %150, null
  br i1 %152, label %153, label %175

153:                                              ; preds = %142
  %154 = icmp eq i64 %133, 0
  br i1 %154, label %294, label %169

155:                                              ; preds = %140, %164
  %156 = phi i64 [ 0, %140 ], [ %167, %164 ]
  %157 = getelementptr inbounds nuw i64, ptr %141, i64 %156
  %158 = load i64, ptr %157, align 8
  %159 = icmp slt i64 %158, 0
  br i1 %159, label %160, label %164

160:                                              ; preds = %155
  %161 = xor i64 %158, -1
  %162 = getelementptr inbounds nuw i64, ptr %9, i64 %161
  %163 = load i64, ptr %162, align 8
  br label %164

164:                                              ; preds = %155, %160
  %165 = phi i64 [ %163, %160 ], [ %158, %155 ]
  %166 = getelementptr inbounds nuw i64, ptr %10, i64 %156
  store i64 %165, ptr %166, align 8
  %167 = add nuw nsw i64 %156, 1
  %168 = icmp slt i64 %167, %138
  br i1 %168, label %155, label %142

169:                                              ; preds = %153, %169
  %170 = phi i64 [ %171, %169 ], [ %133, %153 ]
  %171 = add nsw i64 %170, -1
  %172 = getelementptr inbounds ptr, ptr %8, i64 %171
  %173 = load ptr, ptr %172, align 8
  call void @Py_DecRef(ptr noundef %173)
  %174 = icmp eq i64 %171, 0
  br i1 %174, label %294, label %169

175:                                              ; preds = %142
  %176 = getelementptr inbounds nuw i8, ptr %150, i64 16
  %177 = load ptr, ptr %176, align 8
  %178 = getelementptr inbounds nuw ptr, ptr %7, i64 %133
  store ptr %177, ptr %178, align 8
  %179 = add nuw nsw i64 %133, 1
  call void @llvm.lifetime.end.p0(ptr nonnull %10)
  %180 = load i64, ptr %120, align 8
  %181 = icmp slt i64 %179, %180
  br i1 %181, label %132, label %182

182:                                              ; preds = %175, %118
  call void @llvm.memcpy.p0.p0.i64(ptr noundef nonnull align 8 dereferenceable(24) %11, ptr noundef nonnull align 8 dereferenceable(24) @__const.ej_entry.error, i64 24, i1 false)
  store i32 96, ptr %12, align 8
  %183 = getelementptr inbounds nuw i8, ptr %12, i64 4
  store i32 1, ptr %183, align 4
  %184 = getelementptr inbounds nuw i8, ptr %12, i64 8
  %185 = getelementptr inbounds nuw i8, ptr %14, i64 8
  %186 = load ptr, ptr %185, align 8
  store ptr %186, ptr %184, align 8
  %187 = getelementptr inbounds nuw i8, ptr %12, i64 16
  %188 = getelementptr inbounds nuw i8, ptr %14, i64 16
  %189 = load ptr, ptr %188, align 8
  store ptr %189, ptr %187, align 8
  %190 = getelementptr inbounds nuw i8, ptr %12, i64 24
  %191 = getelementptr inbounds nuw i8, ptr %14, i64 24
  %192 = load ptr, ptr %191, align 8
  store ptr %192, ptr %190, align 8
  %193 = getelementptr inbounds nuw i8, ptr %12, i64 32
  %194 = getelementptr inbounds nuw i8, ptr %14, i64 32
  %195 = load i64, ptr %194, align 8
  store i64 %195, ptr %193, align 8
  %196 = getelementptr inbounds nuw i8, ptr %12, i64 40
  store ptr %6, ptr %196, align 8
  %197 = getelementptr inbounds nuw i8, ptr %12, i64 48
  store ptr %7, ptr %197, align 8
  %198 = getelementptr inbounds nuw i8, ptr %12, i64 56
  store ptr %9, ptr %198, align 8
  %199 = getelementptr inbounds nuw i8, ptr %12, i64 64
  store ptr null, ptr %199, align 8
  %200 = getelementptr inbounds nuw i8, ptr %12, i64 72
  %201 = getelementptr inbounds nuw i8, ptr %14, i64 88
  %202 = load ptr, ptr %201, align 8
  store ptr %202, ptr %200, align 8
  %203 = getelementptr inbounds nuw i8, ptr %12, i64 80
  store ptr %11, ptr %203, align 8
  %204 = getelementptr inbounds nuw i8, ptr %12, i64 88
  %205 = getelementptr inbounds nuw i8, ptr %14, i64 96
  %206 = load i64, ptr %205, align 8
  store i64 %206, ptr %204, align 8
  %207 = getelementptr inbounds nuw i8, ptr %14, i64 80
  %208 = load i64, ptr %207, align 8
  %209 = icmp slt i64 %119, %208
  br i1 %209, label %210, label %213

210:                                              ; preds = %182
  %211 = load ptr, ptr %14, align 8
  %212 = call i32 %211(ptr noundef nonnull %12)
  br label %217

213:                                              ; preds = %182
  %214 = call ptr @PyEval_SaveThread()
  %215 = load ptr, ptr %14, align 8
  %216 = call i32 %215(ptr noundef nonnull %12)
  call void @PyEval_RestoreThread(ptr noundef %214)
  br label %217

217:                                              ; preds = %213, %210
  %218 = phi i32 [ %212, %210 ], [ %216, %213 ]
  store atomic i64 0, ptr %26 release, align 8
  %219 = icmp eq i32 %218, 0
  %220 = load i64, ptr %120, align 8
  br i1 %219, label %268, label %221

221:                                              ; preds = %217
  %222 = icmp sgt i64 %220, 0
  br i1 %222, label %261, label %223

223:                                              ; preds = %261, %221
  call void @llvm.lifetime.start.p0(ptr nonnull %4)
  %224 = load i64, ptr %11, align 8
  %225 = icmp eq i64 %224, 0
  %226 = sext i32 %218 to i64
  %227 = select i1 %225, i64 %226, i64 %224
  store i64 %227, ptr %4, align 16
  %228 = getelementptr inbounds nuw i8, ptr %4, i64 8
  %229 = getelementptr inbounds nuw i8, ptr %11, i64 8
  %230 = load i64, ptr %229, align 8
  store i64 %230, ptr %228, align 8
  %231 = getelementptr inbounds nuw i8, ptr %4, i64 16
  %232 = getelementptr inbounds nuw i8, ptr %11, i64 16
  %233 = load i64, ptr %232, align 8
  store i64 %233, ptr %231, align 16
  call void @llvm.lifetime.start.p0(ptr nonnull %5)
  br label %234

234:                                              ; preds = %241, %223
  %235 = phi i64 [ 0, %223 ], [ %242, %241 ]
  %236 = getelementptr inbounds nuw i64, ptr %4, i64 %235
  %237 = load i64, ptr %236, align 8
  %238 = call ptr @PyLong_FromLongLong(i64 noundef %237)
  %239 = getelementptr inbounds nuw ptr, ptr %5, i64 %235
  store ptr %238, ptr %239, align 8
  %240 = icmp eq ptr %238, null
  br i1 %240, label %248, label %241

241:                                              ; preds = %234
  %242 = add nuw nsw i64 %235, 1
  %243 = icmp eq i64 %242, 3
  br i1 %243, label %244, label %234

244:                                              ; preds = %241
  %245 = getelementptr inbounds nuw i8, ptr %14, i64 48
  %246 = load ptr, ptr %245, align 8
  %247 = call ptr @PyObject_Vectorcall(ptr noundef %246, ptr noundef nonnull %5, i64 noundef 3, ptr noundef null)
  br label %250

248:                                              ; preds = %234
  %249 = icmp eq i64 %235, 0
  br i1 %249, label %259, label %250

250:                                              ; preds = %248, %244
  %251 = phi ptr [ %247, %244 ], [ null, %248 ]
  %252 = phi i64 [ 3, %244 ], [ %235, %248 ]
  br label %253

253:                                              ; preds = %253, %250
  %254 = phi i64 [ %255, %253 ], [ %252, %250 ]
  %255 = add nsw i64 %254, -1
  %256 = getelementptr inbounds nuw ptr, ptr %5, i64 %255
  %257 = load ptr, ptr %256, align 8
  call void @Py_DecRef(ptr noundef %257)
  %258 = icmp eq i64 %255, 0
  br i1 %258, label %259, label %253

259:                                              ; preds = %253, %248
  %260 = phi ptr [ null, %248 ], [ %251, %253 ]
  call void @llvm.lifetime.end.p0(ptr nonnull %5)
  call void @llvm.lifetime.end.p0(ptr nonnull %4)
  br label %295

261:                                              ; preds = %221, %261
  %262 = phi i64 [ %265, %261 ], [ 0, %221 ]
  %263 = getelementptr inbounds nuw ptr, ptr %8, i64 %262
  %264 = load ptr, ptr %263, align 8
  call void @Py_DecRef(ptr noundef %264)
  %265 = add nuw nsw i64 %262, 1
  %266 = load i64, ptr %120, align 8
  %267 = icmp slt i64 %265, %266
  br i1 %267, label %261, label %223

268:                                              ; preds = %217
  %269 = icmp eq i64 %220, 1
  br i1 %269, label %270, label %272

270:                                              ; preds = %268
  %271 = load ptr, ptr %8, align 16
  br label %295

272:                                              ; preds = %268
  %273 = call ptr @PyTuple_New(i64 noundef %220)
  %274 = load i64, ptr %120, align 8
  %275 = icmp sgt i64 %274, 0
  br i1 %275, label %276, label %295

276:                                              ; preds = %272
  %277 = icmp eq ptr %273, null
  br label %278

278:                                              ; preds = %276, %285
  %279 = phi i64 [ 0, %276 ], [ %286, %285 ]
  %280 = getelementptr inbounds nuw ptr, ptr %8, i64 %279
  %281 = load ptr, ptr %280, align 8
  br i1 %277, label %284, label %282

282:                                              ; preds = %278
  %283 = call i32 @PyTuple_SetItem(ptr noundef nonnull %273, i64 noundef %279, ptr noundef %281)
  br label %285

284:                                              ; preds = %278
  call void @Py_DecRef(ptr noundef %281)
  br label %285

285:                                              ; preds = %282, %284
  %286 = add nuw nsw i64 %279, 1
  %287 = load i64, ptr %120, align 8
  %288 = icmp slt i64 %286, %287
  br i1 %288, label %278, label %295

289:                                              ; preds = %56, %48, %67, %62, %107, %98, %102, %94, %87
  store atomic i64 0, ptr %26 release, align 8
  br label %290

290:                                              ; preds = %3, %18, %25, %289
  %291 = getelementptr inbounds nuw i8, ptr %14, i64 40
  %292 = load ptr, ptr %291, align 8
  %293 = tail call ptr @PyObject_Vectorcall(ptr noundef %292, ptr noundef %1, i64 noundef %2, ptr noundef null)
  br label %295

294:                                              ; preds = %169, %153
  store i64 0, ptr %26, align 8
  call void @llvm.lifetime.end.p0(ptr nonnull %10)
  br label %295

295:                                              ; preds = %285, %294, %272, %290, %270, %259
  %296 = phi ptr [ %293, %290 ], [ %273, %272 ], [ %260, %259 ], [ %271, %270 ], [ null, %294 ], [ %273, %285 ]
  call void @llvm.lifetime.end.p0(ptr nonnull %9)
  call void @llvm.lifetime.end.p0(ptr nonnull %8)
  call void @llvm.lifetime.end.p0(ptr nonnull %7)
  call void @llvm.lifetime.end.p0(ptr nonnull %6)
  ret ptr %296
}

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.start.p0(ptr captures(none))

; Function Attrs: mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite)
declare void @llvm.lifetime.end.p0(ptr captures(none))

; Function Attrs: optsize
declare void @Py_IncRef(ptr noundef) local_unnamed_addr

; Function Attrs: optsize
declare void @Py_DecRef(ptr noundef) local_unnamed_addr

; Function Attrs: mustprogress nocallback nofree nounwind willreturn memory(argmem: readwrite)
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly captures(none), ptr noalias readonly captures(none), i64, i1 immarg)

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

; Function Attrs: optsize
declare ptr @PyLong_FromLongLong(i64 noundef) local_unnamed_addr
