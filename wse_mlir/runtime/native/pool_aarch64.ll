; Made of pool.c for aarch64 by `make pool`: change that.
%struct.anon = type { i64, [56 x i8], i32, i32, [56 x i8], i32, i32, [56 x i8], i32, i32, i64, [48 x i8], ptr, ptr, i64, i64, i32, i32, [24 x i8], [256 x i64] }
%struct.__sigset_t = type { [16 x i64] }
%struct.cpu_set_t = type { [16 x i64] }

@pool = internal global %struct.anon { i64 0, [56 x i8] zeroinitializer, i32 0, i32 0, [56 x i8] zeroinitializer, i32 0, i32 0, [56 x i8] zeroinitializer, i32 0, i32 0, i64 0, [48 x i8] zeroinitializer, ptr null, ptr null, i64 0, i64 0, i32 0, i32 -1, [24 x i8] zeroinitializer, [256 x i64] zeroinitializer }, align 64

define void @wse_pool_run(ptr noundef %body, ptr noundef %environment, i64 noundef %chunks, i64 noundef %threads) local_unnamed_addr #0 {
entry:
  %all.i.i = alloca %struct.__sigset_t, align 8
  %before.i.i = alloca %struct.__sigset_t, align 8
  %cmp = icmp sgt i64 %chunks, 1
  %cmp1 = icmp sgt i64 %threads, 1
  %or.cond = and i1 %cmp, %cmp1
  br i1 %or.cond, label %land.lhs.true2, label %if.end

land.lhs.true2:                                   ; preds = %entry
  %call.i = tail call i32 @getpid() #9
  %0 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 196) acquire, align 4
  %cmp.i = icmp eq i32 %0, %call.i
  br i1 %cmp.i, label %enter.exit, label %lor.lhs.false.i

lor.lhs.false.i:                                  ; preds = %land.lhs.true2
  %sub.i.i = sub nsw i32 0, %call.i
  %cmp.i.i = icmp eq i32 %0, %sub.i.i
  br i1 %cmp.i.i, label %for.body.preheader, label %if.end.i.i

if.end.i.i:                                       ; preds = %lor.lhs.false.i
  %1 = cmpxchg ptr getelementptr inbounds nuw (i8, ptr @pool, i64 196), i32 %0, i32 %sub.i.i acq_rel monotonic, align 4
  %2 = extractvalue { i32, i1 } %1, 1
  br i1 %2, label %take_over.exit.i, label %for.body.preheader

take_over.exit.i:                                 ; preds = %if.end.i.i
  store atomic i64 0, ptr @pool monotonic, align 64
  store atomic i32 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 68) monotonic, align 4
  store atomic i32 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 128) monotonic, align 64
  store atomic i32 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 132) monotonic, align 4
  store i64 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 200), align 8
  store atomic i32 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 192) monotonic, align 64
  store atomic i32 %call.i, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 196) release, align 4
  br label %enter.exit

enter.exit:                                       ; preds = %land.lhs.true2, %take_over.exit.i
  %3 = cmpxchg ptr getelementptr inbounds nuw (i8, ptr @pool, i64 192), i32 0, i32 1 acquire monotonic, align 64
  %4 = extractvalue { i32, i1 } %3, 1
  br i1 %4, label %if.then, label %for.body.preheader

if.then:                                          ; preds = %enter.exit
  %cond.i.i = tail call i64 @llvm.umin.i64(i64 range(i64 2, -9223372036854775808) %threads, i64 257)
  %sub.i.i11 = add nsw i64 %cond.i.i, -1
  %5 = load i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 200), align 8
  %cmp1.not.i.i = icmp ult i64 %5, %sub.i.i11
  br i1 %cmp1.not.i.i, label %if.end.i.i12, label %grow.exit.i

if.end.i.i12:                                     ; preds = %if.then
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %all.i.i) #5
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %before.i.i) #5
  %call.i.i = call i32 @sigfillset(ptr noundef nonnull %all.i.i) #9
  %call2.i.i = call i32 @pthread_sigmask(i32 noundef 0, ptr noundef nonnull %all.i.i, ptr noundef nonnull %before.i.i) #9
  %6 = load i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 200), align 8
  %cmp3.i.i.i = icmp ult i64 %6, %sub.i.i11
  br i1 %cmp3.i.i.i, label %while.body.i.i.i, label %start_workers.exit.i.i

while.body.i.i.i:                                 ; preds = %if.end.i.i12, %cleanup.i.i.i
  %7 = phi i64 [ %inc.i.i.i, %cleanup.i.i.i ], [ %6, %if.end.i.i12 ]
  %8 = inttoptr i64 %7 to ptr
  %arrayidx.i.i.i = getelementptr inbounds nuw [256 x i64], ptr getelementptr inbounds nuw (i8, ptr @pool, i64 320), i64 0, i64 %7
  %call.i.i.i = call i32 @pthread_create(ptr noundef nonnull %arrayidx.i.i.i, ptr noundef null, ptr noundef nonnull @worker, ptr noundef %8) #9
  %cmp1.not.not.i.i.i = icmp eq i32 %call.i.i.i, 0
  br i1 %cmp1.not.not.i.i.i, label %cleanup.i.i.i, label %start_workers.exit.i.i

cleanup.i.i.i:                                    ; preds = %while.body.i.i.i
  %9 = load i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 200), align 8
  %inc.i.i.i = add i64 %9, 1
  store i64 %inc.i.i.i, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 200), align 8
  %cmp.i.i.i = icmp ult i64 %inc.i.i.i, %sub.i.i11
  br i1 %cmp.i.i.i, label %while.body.i.i.i, label %start_workers.exit.i.i

start_workers.exit.i.i:                           ; preds = %cleanup.i.i.i, %while.body.i.i.i, %if.end.i.i12
  %call3.i.i = call i32 @pthread_sigmask(i32 noundef 2, ptr noundef nonnull %before.i.i, ptr noundef null) #9
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %before.i.i) #5
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %all.i.i) #5
  br label %grow.exit.i

grow.exit.i:                                      ; preds = %start_workers.exit.i.i, %if.then
  %10 = ptrtoint ptr %body to i64
  store atomic i64 %10, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 256) monotonic, align 64
  %11 = ptrtoint ptr %environment to i64
  store atomic i64 %11, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 264) monotonic, align 8
  store atomic i64 %chunks, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 272) monotonic, align 16
  store atomic i64 %threads, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 280) monotonic, align 8
  %12 = call i64 @llvm.read_volatile_register.i64(metadata !4)
  %conv.i.i = trunc i64 %12 to i32
  store atomic i32 %conv.i.i, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 288) monotonic, align 32
  %call6.i = call i32 @sched_getcpu() #9
  store atomic i32 %call6.i, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 292) monotonic, align 4
  store atomic i32 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 64) monotonic, align 64
  call fastcc void @announce(i64 noundef range(i64 2, -9223372036854775808) %chunks)
  %call8.i = call fastcc i64 @work(i64 noundef 0)
  %sub.i = sub nsw i64 %chunks, %call8.i
  %conv.i = trunc i64 %sub.i to i32
  br label %for.body.i.i

for.body.i.i:                                     ; preds = %if.end.i13.i, %grow.exit.i
  %turn.07.i.i = phi i32 [ 0, %grow.exit.i ], [ %inc.i.i, %if.end.i13.i ]
  %13 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 64) acquire, align 64
  %cmp1.i.i = icmp eq i32 %13, %conv.i
  br i1 %cmp1.i.i, label %run_on_workers.exit, label %if.end.i13.i

if.end.i13.i:                                     ; preds = %for.body.i.i
  call void @llvm.aarch64.hint(i32 1)
  %inc.i.i = add nuw nsw i32 %turn.07.i.i, 1
  %exitcond.not.i.i = icmp eq i32 %inc.i.i, 2001
  br i1 %exitcond.not.i.i, label %for.end.i.i, label %for.body.i.i

for.end.i.i:                                      ; preds = %if.end.i13.i
  store atomic i32 1, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 68) seq_cst, align 4
  %14 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 64) seq_cst, align 64
  %cmp5.i.i.i = icmp eq i32 %14, %conv.i
  br i1 %cmp5.i.i.i, label %sleep_until_finished.exit.i.i, label %cleanup.i.i14.i

cleanup.i.i14.i:                                  ; preds = %for.end.i.i, %cleanup.i.i14.i
  %15 = phi i32 [ %16, %cleanup.i.i14.i ], [ %14, %for.end.i.i ]
  %call.i.i.i.i = call i64 (i64, ...) @syscall(i64 noundef 98, ptr noundef nonnull getelementptr inbounds nuw (i8, ptr @pool, i64 64), i32 noundef 128, i32 noundef %15, ptr noundef null) #9
  store atomic i32 1, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 68) seq_cst, align 4
  %16 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 64) seq_cst, align 64
  %cmp.i.i15.i = icmp eq i32 %16, %conv.i
  br i1 %cmp.i.i15.i, label %sleep_until_finished.exit.i.i, label %cleanup.i.i14.i

sleep_until_finished.exit.i.i:                    ; preds = %cleanup.i.i14.i, %for.end.i.i
  store atomic i32 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 68) monotonic, align 4
  br label %run_on_workers.exit

run_on_workers.exit:                              ; preds = %for.body.i.i, %sleep_until_finished.exit.i.i
  store atomic i32 0, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 192) release, align 64
  br label %for.end

if.end:                                           ; preds = %entry
  %cmp313 = icmp sgt i64 %chunks, 0
  br i1 %cmp313, label %for.body.preheader, label %for.end

for.body.preheader:                               ; preds = %enter.exit, %lor.lhs.false.i, %if.end.i.i, %if.end
  br label %for.body

for.body:                                         ; preds = %for.body.preheader, %for.body
  %chunk.014 = phi i64 [ %inc, %for.body ], [ 0, %for.body.preheader ]
  tail call void %body(ptr noundef %environment, i64 noundef %chunk.014) #9
  %inc = add nuw nsw i64 %chunk.014, 1
  %exitcond.not = icmp eq i64 %inc, %chunks
  br i1 %exitcond.not, label %for.end, label %for.body

for.end:                                          ; preds = %for.body, %if.end, %run_on_workers.exit
  ret void
}
declare void @llvm.lifetime.start.p0(i64 immarg, ptr captures(none)) #1
declare void @llvm.lifetime.end.p0(i64 immarg, ptr captures(none)) #1

define void @wse_pool_stop() local_unnamed_addr #0 {
entry:
  %0 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 196) acquire, align 4
  %call = tail call i32 @getpid() #9
  %cmp.not = icmp eq i32 %0, %call
  br i1 %cmp.not, label %while.cond.preheader, label %for.end

while.cond.preheader:                             ; preds = %entry
  %1 = cmpxchg ptr getelementptr inbounds nuw (i8, ptr @pool, i64 192), i32 0, i32 1 acquire monotonic, align 64
  %2 = extractvalue { i32, i1 } %1, 1
  br i1 %2, label %while.end, label %while.body

while.body:                                       ; preds = %while.cond.preheader, %if.end4
  %3 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 132) acquire, align 4
  %tobool.not = icmp eq i32 %3, 0
  br i1 %tobool.not, label %if.end4, label %for.end

if.end4:                                          ; preds = %while.body
  tail call void @llvm.aarch64.hint(i32 1)
  %4 = cmpxchg ptr getelementptr inbounds nuw (i8, ptr @pool, i64 192), i32 0, i32 1 acquire monotonic, align 64
  %5 = extractvalue { i32, i1 } %4, 1
  br i1 %5, label %while.end, label %while.body

while.end:                                        ; preds = %if.end4, %while.cond.preheader
  store atomic i32 1, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 132) seq_cst, align 4
  tail call fastcc void @announce(i64 noundef 0)
  %6 = load i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 200), align 8
  %cmp510.not = icmp eq i64 %6, 0
  br i1 %cmp510.not, label %for.end, label %for.body

for.body:                                         ; preds = %while.end, %for.body
  %index.011 = phi i64 [ %inc, %for.body ], [ 0, %while.end ]
  %arrayidx = getelementptr inbounds nuw [256 x i64], ptr getelementptr inbounds nuw (i8, ptr @pool, i64 320), i64 0, i64 %index.011
  %7 = load i64, ptr %arrayidx, align 8
  %call6 = tail call i32 @pthread_join(i64 noundef %7, ptr noundef null) #9
  %inc = add nuw i64 %index.011, 1
  %8 = load i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 200), align 8
  %cmp5 = icmp ult i64 %inc, %8
  br i1 %cmp5, label %for.body, label %for.end

for.end:                                          ; preds = %while.body, %for.body, %while.end, %entry
  ret void
}
declare i32 @getpid() local_unnamed_addr #2

define internal fastcc void @announce(i64 noundef range(i64 0, -9223372036854775808) %chunks) unnamed_addr #0 {
entry:
  %0 = load atomic i64, ptr @pool monotonic, align 64
  %and = and i64 %0, -4294967296
  %add = add i64 %and, 4294967296
  %or = or i64 %add, %chunks
  store atomic i64 %or, ptr @pool seq_cst, align 64
  %1 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 128) seq_cst, align 64
  %tobool.not = icmp eq i32 %1, 0
  br i1 %tobool.not, label %if.end, label %if.then

if.then:                                          ; preds = %entry
  %call.i = tail call i64 (i64, ...) @syscall(i64 noundef 98, ptr noundef nonnull getelementptr inbounds nuw (i8, ptr @pool, i64 4), i32 noundef 129, i32 noundef 2147483647) #9
  br label %if.end

if.end:                                           ; preds = %if.then, %entry
  ret void
}
declare i32 @pthread_join(i64 noundef, ptr noundef) local_unnamed_addr
declare i32 @sched_getcpu() local_unnamed_addr #2

define internal fastcc i64 @work(i64 noundef range(i64 -9223372036854775807, -9223372036854775808) %thread) unnamed_addr #0 {
entry:
  %0 = load atomic i64, ptr @pool acquire, align 64
  %and40 = and i64 %0, 4294967295
  %cmp41 = icmp eq i64 %and40, 0
  br i1 %cmp41, label %cleanup29, label %if.end.lr.ph

if.end.lr.ph:                                     ; preds = %entry
  %cmp14 = icmp eq i64 %thread, 0
  br label %if.end

if.end:                                           ; preds = %if.end.lr.ph, %cleanup27
  %and43 = phi i64 [ %and40, %if.end.lr.ph ], [ %and, %cleanup27 ]
  %1 = phi i64 [ %0, %if.end.lr.ph ], [ %14, %cleanup27 ]
  %computed.042 = phi i64 [ 0, %if.end.lr.ph ], [ %computed.3, %cleanup27 ]
  %2 = load atomic i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 280) monotonic, align 8
  %3 = load atomic i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 272) monotonic, align 16
  %4 = load atomic i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 256) monotonic, align 64
  %5 = inttoptr i64 %4 to ptr
  %6 = load atomic i64, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 264) monotonic, align 8
  %7 = inttoptr i64 %6 to ptr
  %8 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 288) monotonic, align 32
  %cmp6.not = icmp slt i64 %thread, %2
  br i1 %cmp6.not, label %if.end8, label %cleanup29

if.end8:                                          ; preds = %if.end
  %sub = add i64 %1, -1
  %9 = cmpxchg ptr @pool, i64 %1, i64 %sub acq_rel monotonic, align 64
  %10 = extractvalue { i64, i1 } %9, 1
  br i1 %10, label %if.end12, label %cleanup27

if.end12:                                         ; preds = %if.end8
  %11 = tail call i64 @llvm.read_volatile_register.i64(metadata !4)
  %conv.i.i = trunc i64 %11 to i32
  %cmp.not.i = icmp eq i32 %8, %conv.i.i
  br i1 %cmp.not.i, label %set_float_mode.exit, label %if.then.i

if.then.i:                                        ; preds = %if.end12
  %conv.i2.i = zext i32 %8 to i64
  tail call void @llvm.write_register.i64(metadata !4, i64 %conv.i2.i)
  br label %set_float_mode.exit

set_float_mode.exit:                              ; preds = %if.end12, %if.then.i
  %sub13 = sub nsw i64 %3, %and43
  tail call void %5(ptr noundef %7, i64 noundef %sub13) #9
  %inc = add nsw i64 %computed.042, 1
  br i1 %cmp14, label %cleanup27, label %if.end16

if.end16:                                         ; preds = %set_float_mode.exit
  %12 = atomicrmw add ptr getelementptr inbounds nuw (i8, ptr @pool, i64 64), i32 1 seq_cst, align 64
  %13 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 68) seq_cst, align 4
  %tobool.not = icmp eq i32 %13, 0
  br i1 %tobool.not, label %cleanup27, label %if.then20

if.then20:                                        ; preds = %if.end16
  %call.i = tail call i64 (i64, ...) @syscall(i64 noundef 98, ptr noundef nonnull getelementptr inbounds nuw (i8, ptr @pool, i64 64), i32 noundef 129, i32 noundef 2147483647) #9
  br label %cleanup27

cleanup27:                                        ; preds = %if.end16, %if.then20, %set_float_mode.exit, %if.end8
  %computed.3 = phi i64 [ %computed.042, %if.end8 ], [ %inc, %set_float_mode.exit ], [ %inc, %if.then20 ], [ %inc, %if.end16 ]
  %14 = load atomic i64, ptr @pool acquire, align 64
  %and = and i64 %14, 4294967295
  %cmp = icmp eq i64 %and, 0
  br i1 %cmp, label %cleanup29, label %if.end

cleanup29:                                        ; preds = %if.end, %cleanup27, %entry
  %computed.0.lcssa = phi i64 [ 0, %entry ], [ %computed.3, %cleanup27 ], [ %computed.042, %if.end ]
  ret i64 %computed.0.lcssa
}
declare i32 @sigfillset(ptr noundef) local_unnamed_addr #2
declare i32 @pthread_sigmask(i32 noundef, ptr noundef, ptr noundef) local_unnamed_addr #2
declare i32 @pthread_create(ptr noundef, ptr noundef, ptr noundef, ptr noundef) local_unnamed_addr #2

define internal noalias noundef ptr @worker(ptr noundef %index) #0 {
entry:
  %others.i = alloca %struct.cpu_set_t, align 8
  %home = alloca %struct.cpu_set_t, align 8
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %home) #5
  %call = call i32 @sched_getaffinity(i32 noundef 0, i64 noundef 128, ptr noundef nonnull %home) #9
  %cmp = icmp sgt i32 %call, -1
  %0 = ptrtoint ptr %index to i64
  %add = add nsw i64 %0, 1
  br label %for.cond

for.cond:                                         ; preds = %for.cond.backedge, %entry
  br i1 %cmp, label %if.then, label %if.end

if.then:                                          ; preds = %for.cond
  %call.i = call i32 @sched_getcpu() #9
  %1 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 292) monotonic, align 4
  %cmp.i = icmp ne i32 %call.i, %1
  %cmp1.i = icmp ugt i32 %call.i, 1023
  %or.cond.i = or i1 %cmp1.i, %cmp.i
  br i1 %or.cond.i, label %if.end, label %if.end.i

if.end.i:                                         ; preds = %if.then
  call void @llvm.lifetime.start.p0(i64 128, ptr nonnull %others.i) #5
  call void @llvm.memcpy.p0.p0.i64(ptr noundef nonnull align 8 dereferenceable(128) %others.i, ptr noundef nonnull readonly align 8 dereferenceable(128) %home, i64 128, i1 false)
  %conv.i = zext nneg i32 %call.i to i64
  %rem.i = and i64 %conv.i, 63
  %shl.i = shl nuw i64 1, %rem.i
  %not.i = xor i64 %shl.i, -1
  %div411.i = lshr i64 %conv.i, 6
  %arrayidx.i = getelementptr inbounds nuw i64, ptr %others.i, i64 %div411.i
  %2 = load i64, ptr %arrayidx.i, align 8
  %and.i = and i64 %2, %not.i
  store i64 %and.i, ptr %arrayidx.i, align 8
  %call5.i = call i32 @sched_setaffinity(i32 noundef 0, i64 noundef 128, ptr noundef nonnull %others.i) #9
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %others.i) #5
  br label %if.end

if.end:                                           ; preds = %if.end.i, %if.then, %for.cond
  %3 = load atomic i64, ptr @pool acquire, align 64
  %shr = lshr i64 %3, 32
  %conv = trunc nuw i64 %shr to i32
  %call1 = call fastcc i64 @work(i64 noundef %add)
  %4 = load atomic i32, ptr getelementptr inbounds nuw (i8, ptr @pool, i64 132) acquire, align 4
  %tobool.not = icmp eq i32 %4, 0
  br i1 %tobool.not, label %for.body.i, label %cleanup12

for.body.i:                                       ; preds = %if.end, %if.end.i16
  %turn.04.i = phi i32 [ %inc.i, %if.end.i16 ], [ 0, %if.end ]
  %5 = load atomic i64, ptr @pool acquire, align 64
  %shr.i = lshr i64 %5, 32
  %cmp1.not.not.not.i.not = icmp eq i64 %shr.i, %shr
  br i1 %cmp1.not.not.not.i.not, label %if.end.i16, label %for.cond.backedge

if.end.i16:                                       ; preds = %for.body.i
  call void @llvm.aarch64.hint(i32 1)
  %inc.i = add nuw nsw i32 %turn.04.i, 1
  %exitcond.not.i = icmp eq i32 %inc.i, 2001
  br i1 %exitcond.not.i, label %if.end7, label %for.body.i

if.end7:                                          ; preds = %if.end.i16
  %6 = atomicrmw add ptr getelementptr inbounds nuw (i8, ptr @pool, i64 128), i32 1 seq_cst, align 64
  %call.i17 = call i64 (i64, ...) @syscall(i64 noundef 98, ptr noundef nonnull getelementptr inbounds nuw (i8, ptr @pool, i64 4), i32 noundef 128, i32 noundef %conv, ptr noundef null) #9
  %7 = atomicrmw sub ptr getelementptr inbounds nuw (i8, ptr @pool, i64 128), i32 1 seq_cst, align 64
  br label %for.cond.backedge

for.cond.backedge:                                ; preds = %for.body.i, %if.end7
  br label %for.cond

cleanup12:                                        ; preds = %if.end
  call void @llvm.lifetime.end.p0(i64 128, ptr nonnull %home) #5
  ret ptr null
}
declare i32 @sched_getaffinity(i32 noundef, i64 noundef, ptr noundef) local_unnamed_addr #2
declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly captures(none), ptr noalias readonly captures(none), i64, i1 immarg) #4
declare i32 @sched_setaffinity(i32 noundef, i64 noundef, ptr noundef) local_unnamed_addr #2
declare i64 @syscall(i64 noundef, ...) local_unnamed_addr #2
declare i64 @llvm.read_volatile_register.i64(metadata) #5
declare void @llvm.write_register.i64(metadata, i64) #6
declare void @llvm.aarch64.hint(i32) #7
declare i64 @llvm.umin.i64(i64, i64) #8

attributes #0 = { nounwind uwtable }
attributes #1 = { mustprogress nocallback nofree nosync nounwind willreturn memory(argmem: readwrite) }
attributes #2 = { nounwind }
attributes #4 = { mustprogress nocallback nofree nounwind willreturn memory(argmem: readwrite) }
attributes #5 = { nounwind }
attributes #6 = { nocallback nounwind }
attributes #7 = { mustprogress nocallback nofree nosync nounwind willreturn }
attributes #8 = { nocallback nofree nosync nounwind speculatable willreturn memory(none) }
attributes #9 = { nounwind }

!4 = !{!"fpcr"}
