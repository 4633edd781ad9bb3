//! What holds of all groups, whoever polls their children: a part of `tests/group.rs`, of
//! `tests/local.rs`, of `tests/in_task.rs` and of `tests/executors.rs`, where `on` says how a group is
//! made.

use super::*;

#[test]
fn a_body_awaits_its_children_for_their_values_and_may_borrow() {
    let (hand, words) = (Hand::default(), vec!["warp".to_owned(), "weft".to_owned()]);
    let total = hand.finish(on(&hand).run(async |g| {
        let mut children = Vec::new();
        for word in &words {
            let word = word.clone();
            children.push(g.spawn(async move { Ok(word.len()) }));
        }
        let mut total = 0;
        for child in children {
            total += child.await?;
        }
        Ok::<_, ChildError>(total)
    }));
    assert_eq!(total.unwrap(), 8);
}

#[test]
fn a_child_spawns_siblings_while_the_body_waits_for_the_end() {
    let (hand, log) = (Hand::default(), Log::default());
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| {
        let (handle, log) = (g.clone(), log.clone());
        g.spawn(async move {
            yield_now().await;
            handle.spawn(async move {
                log.say("grandchild");
                Ok(())
            });
            Ok(())
        });
        Ok(())
    }));
    assert!(ended.is_ok());
    assert_eq!(log.said(), ["grandchild"]);
}

#[test]
fn a_group_runs_in_the_scope_around_it_and_its_children_in_the_groups() {
    let (hand, outer) = (Hand::default(), Scope::detached());
    let inside = on(&hand).run(async |g| {
        let own = Scope::current().unwrap();
        let child = g.spawn(async { Ok(Scope::current().unwrap()) }).await?;
        g.cancel(stop());
        assert!(own.is_cancelled() && child.is_cancelled());
        Ok::<_, ChildError>(())
    });
    assert!(hand.finish(outer.run(inside)).unwrap().is_ok());
    assert!(!outer.is_cancelled());
}

#[test]
fn the_first_failure_cancels_siblings_and_body_and_their_clean_up_is_awaited() {
    let (hand, log, gate) = (Hand::default(), Log::default(), Gate::default());
    let mut run = pin!(on(&hand).run(async |g| {
        let (log, gate) = (log.clone(), gate.clone());
        let _body = log.on_drop("body dropped");
        g.spawn(finally(forever(), || async move {
            gate.passed().await;
            log.say("sibling cleaned up");
        }));
        g.spawn_named("bad", async {
            yield_now().await;
            Err::<(), _>("broken")
        });
        pending::<Result<(), &str>>().await
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    assert_eq!(log.said(), ["body dropped"]);
    gate.open();
    let error = hand.finish(run).unwrap_err();
    assert_eq!(log.said(), ["body dropped", "sibling cleaned up"]);
    let failure = error.first().unwrap();
    assert_eq!(
        (failure.task().name(), failure.error()),
        (Some("bad"), &"broken")
    );
    assert!(failure.task().spawned_at().file().ends_with("cases.rs"));
    assert_eq!(error.len(), 1);
}

#[test]
fn every_error_is_kept_in_the_order_in_which_it_occurred() {
    let hand = Hand::default();
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        for (turns, error) in [(3, "third"), (1, "first"), (2, "second")] {
            g.spawn(shield(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                Err::<(), _>(error)
            }));
        }
        shield(async {
            for _ in 0..9 {
                yield_now().await;
            }
        })
        .await;
        Err("the body's")
    }));
    let errors = ended.unwrap_err().into_errors();
    assert_eq!(errors, ["first", "second", "third", "the body's"]);
}

#[test]
fn a_child_that_was_woken_beside_one_that_fails_is_cancelled_before_its_turn() {
    let (hand, gate, log) = (Hand::default(), Gate::default(), Log::default());
    let mut run = pin!(on(&hand).run(async |g| {
        for error in ["first", "second"] {
            let (passed, dropped) = (gate.passed(), log.on_drop(error));
            g.spawn::<_, ()>(async move {
                dropped.is_there();
                passed.await;
                Err(error)
            });
        }
        Ok(())
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    let errors = hand.finish(run).unwrap_err().into_errors();
    // Who has its turn first is for the executor to say.
    assert_eq!((errors.len(), log.said().len()), (1, 2));
    assert_eq!(log.said()[0], errors[0]);
}

#[test]
fn an_error_of_the_body_cancels_the_children_and_closes_the_group() {
    let (hand, log) = (Hand::default(), Log::default());
    let mut kept = None;
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        let log = log.clone();
        g.spawn(async move {
            let _dropped = log.on_drop("child dropped");
            forever().await
        });
        kept = Some(g.clone());
        yield_now().await;
        Err("body")
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["body"]);
    assert_eq!(log.said(), ["child dropped"]);
    let refused = kept
        .unwrap()
        .try_spawn(TaskMeta::here(), forever())
        .unwrap_err();
    assert_eq!(refused.reason(), "the group has ended, or is about to");
    assert!(poll(pin!(refused.into_future())).is_pending());
}

#[test]
fn the_handle_of_a_child_that_failed_tells_who_cancelled_the_group() {
    let hand = Hand::default();
    let mut seen = None;
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        let child = g.spawn_named("bad", async { Err::<(), _>("broken") });
        shield(async { seen = Some(child.await.unwrap_err().to_string()) }).await;
        Ok(())
    }));
    assert_eq!(ended.unwrap_err().len(), 1);
    assert!(seen.unwrap().contains("a sibling failed: `bad` failed (at"));
}

#[test]
fn an_error_shows_each_failure_on_a_line_and_nested_groups_indented() {
    let (hand, gate) = (Hand::default(), Gate::default());
    let (spawner, opens) = (hand.clone(), gate.clone());
    let ended = hand.finish(on(&hand).run(async |g| {
        let passed = gate.passed();
        g.spawn_named("outer", async move {
            shield(passed).await;
            Err::<(), _>("late".to_owned())
        });
        g.spawn_named("nested", async move {
            let inner: Result<(), _> = on(&spawner)
                .run(async |g| {
                    let (begun, broken) = (Gate::default(), Gate::default());
                    let (begins, late) = (begun.clone(), broken.passed());
                    g.spawn_named("b", async move {
                        begins.open();
                        shield(late).await;
                        Err::<(), _>("no b")
                    });
                    begun.passed().await;
                    g.spawn_named("a", async move {
                        broken.open();
                        Err::<(), _>("no a")
                    });
                    Ok(())
                })
                .await;
            opens.open();
            inner.map_err(|error| error.to_string())
        });
        Ok(())
    }));
    let text = ended.unwrap_err().to_string();
    let line = |line: &str| line.split(" spawned at").next().unwrap().to_owned();
    let lines: Vec<_> = text.lines().map(line).collect();
    assert_eq!(
        lines,
        [
            "2 tasks of a group failed",
            "├─ task `nested`",
            "│  ├─ task `a`",
            "│  └─ task `b`",
            "└─ task `outer`",
        ],
        "{text}"
    );
}

#[test]
fn errors_of_a_nested_group_win_over_the_cancel_that_came_meanwhile() {
    let (hand, gate) = (Hand::default(), Gate::default());
    let (spawner, passed) = (hand.clone(), gate.clone());
    let mut run = pin!(on(&hand).run(async |g| {
        g.spawn_named("nested", async move {
            let inner: Result<(), GroupError<&str>> = on(&spawner)
                .run(async |g| {
                    g.spawn_named(
                        "a",
                        shield(async move {
                            passed.passed().await;
                            Err::<(), _>("no a")
                        }),
                    );
                    forever().await
                })
                .await;
            inner.map_err(|error| error.to_string())
        });
        yield_now().await;
        yield_now().await;
        g.spawn_named("outer", async { Err::<(), _>("first".to_owned()) });
        Ok(())
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    let errors = hand.finish(run).unwrap_err().into_errors();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0], "first");
    assert!(
        errors[1].contains("└─ task `a` spawned at"),
        "{}",
        errors[1]
    );
}

#[test]
fn boxed_errors_pass_through_the_question_mark() {
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    fn fails(hand: &Hand) -> Result<u32, Boxed> {
        let sum = hand.finish(on(hand).run(async |g| {
            let number = g.spawn(async { Ok("not a number".parse::<u32>()?) });
            Ok::<_, Boxed>(number.await?)
        }))?;
        Ok(sum)
    }
    let text = fails(&Hand::default()).unwrap_err().to_string();
    assert!(text.contains("invalid digit found in string"), "{text}");
}

#[test]
fn a_childs_panic_cancels_the_group_and_goes_on_at_its_end_after_the_errors_were_reported() {
    reports();
    let (hand, log) = (Hand::default(), Log::default());
    let mut run = pin!(on(&hand).run(async |g| {
        let log = log.clone();
        g.spawn(shield(async {
            for _ in 0..3 {
                yield_now().await;
            }
            Err::<(), _>("an error besides")
        }));
        g.spawn(finally(forever(), || async move {
            yield_now().await;
            log.say("cleaned up");
        }));
        g.spawn(async {
            yield_now().await;
            if true {
                panic!("a thread broke")
            }
            Ok(())
        });
        forever().await
    }));
    let payload = catch_unwind(AssertUnwindSafe(|| hand.run(run.as_mut()))).unwrap_err();
    assert_eq!(panic_message(&*payload), "a thread broke");
    assert_eq!(log.said(), ["cleaned up"]);
    let reported = reports();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].contains("an error besides"), "{}", reported[0]);
}

#[test]
fn a_cancel_before_the_body_has_a_value_is_the_groups_end() {
    let hand = Hand::default();
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        let handle = g.clone();
        g.spawn(async move {
            handle.cancel(stop());
            Ok(())
        });
        forever().await
    }));
    let error = ended.unwrap_err();
    assert!(error.is_empty());
    assert_eq!(error.cause().unwrap().text(), "stop");
    assert!(
        error
            .to_string()
            .starts_with("the group was cancelled on request: stop")
    );
}

#[test]
fn a_body_ends_the_children_that_run_for_ever_and_returns_its_value() {
    let (hand, log) = (Hand::default(), Log::default());
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| {
        let log = log.clone();
        g.spawn(finally(
            forever(),
            || async move { log.say("heartbeat ended") },
        ));
        yield_now().await;
        g.cancel(stop());
        Ok(5)
    }));
    assert_eq!(ended.unwrap(), 5);
    assert_eq!(log.said(), ["heartbeat ended"]);
}

#[test]
fn a_cancel_from_around_ends_a_group_that_waits_for_its_children() {
    let (hand, scope, log) = (Hand::default(), Scope::detached(), Log::default());
    let group = on(&hand).run(async |g| {
        let log = log.clone();
        g.spawn(finally(forever(), || async move { log.say("cleaned up") }));
        Ok::<_, &str>("a value")
    });
    let said = log.clone();
    let mut run = pin!(scope.run(async move {
        let ended = group.await;
        said.say("swallowed");
        ended
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(hand.finish(run).unwrap_err().text(), "stop");
    assert_eq!(log.said(), ["cleaned up"]);
}

#[test]
fn a_childs_failure_wakes_the_parent_that_waits_in_its_body_or_at_its_end() {
    for at_its_end in [false, true] {
        let (hand, gate) = (Hand::default(), Gate::default());
        let passed = gate.clone();
        let mut run = pin!(on(&hand).run(async |g| {
            g.spawn::<_, ()>(async move {
                passed.passed().await;
                Err("broken")
            });
            match at_its_end {
                true => Ok(()),
                false => forever().await,
            }
        }));
        assert!(hand.run(run.as_mut()).is_pending());
        let (woken, waker) = Flag::new();
        let polled = run.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        gate.open();
        hand.settle();
        assert!(woken.take());
        assert_eq!(hand.finish(run).unwrap_err().into_errors(), ["broken"]);
    }
}

#[test]
fn a_child_that_is_cancelled_alone_is_no_failure() {
    let hand = Hand::default();
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| {
        let (one, two) = (g.spawn(forever()), g.spawn(async { Ok(2) }));
        yield_now().await;
        assert!(one.cancel(stop()));
        assert!(!one.cancel(stop()));
        assert!(one.await.unwrap_err().is_cancelled());
        Ok(two.await.unwrap())
    }));
    assert_eq!(ended.unwrap(), 2);
}

#[test]
fn a_child_that_is_cancelled_alone_before_it_began_never_starts() {
    let hand = Hand::default();
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| {
        let child = g.spawn::<_, ()>(async { panic!("it ran") });
        assert!(child.cancel(stop()));
        assert!(child.await.unwrap_err().is_cancelled());
        Ok(2)
    }));
    assert_eq!(ended.unwrap(), 2);
}

#[test]
fn a_child_spawned_in_a_cancelled_group_never_starts() {
    let hand = Hand::default();
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| {
        g.cancel(stop());
        g.spawn::<_, ()>(async { panic!("it ran") });
        Ok::<_, &str>(())
    }));
    assert!(ended.is_ok());
}

#[test]
fn a_dropped_group_cancels_its_children_and_the_scope_around_waits_for_them() {
    let (hand, outer, log, gate) = (
        Hand::default(),
        Scope::detached(),
        Log::default(),
        Gate::default(),
    );
    let (spawner, said, shut) = (hand.clone(), log.clone(), gate.clone());
    let mut run = pin!(outer.run(async move {
        let cleaned = said.clone();
        let mut group = Box::pin(on(&spawner).run(async |g| {
            g.spawn(finally(forever(), || async move {
                shut.passed().await;
                cleaned.say("cleaned up");
            }));
            forever().await
        }));
        poll_inside(group.as_mut()).await;
        yield_now().await;
        drop(group);
        said.say("the body goes on");
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    assert!(!outer.is_cancelled());
    gate.open();
    assert!(hand.finish(run).is_ok());
    assert_eq!(log.said(), ["the body goes on", "cleaned up"]);
}

#[test]
fn a_limit_holds_and_is_made_use_of() {
    let (hand, log, full) = (Hand::default(), Log::default(), Gate::default());
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let ended: Never<_> = hand.finish(on(&hand).limit(3).run(async |g| {
        for i in 0..10 {
            let (log, full) = (log.clone(), full.clone());
            let (running, most) = (running.clone(), most.clone());
            g.spawn(async move {
                log.say(i.to_string());
                let now = running.fetch_add(1, SeqCst) + 1;
                most.fetch_max(now, SeqCst);
                if now == 3 {
                    full.open();
                }
                full.passed().await;
                for _ in 0..i % 4 {
                    yield_now().await;
                }
                running.fetch_sub(1, SeqCst);
                Ok(())
            });
        }
        Ok(())
    }));
    assert!(ended.is_ok());
    assert_eq!(most.load(SeqCst), 3);
    assert_eq!(log.said().len(), 10);
}

#[test]
fn children_that_wait_for_the_limit_end_with_the_group() {
    let hand = Hand::default();
    let ended: Never<()> = hand.finish(on(&hand).limit(1).run(async |g| {
        for _ in 0..3 {
            g.spawn(forever());
        }
        yield_now().await;
        g.spawn::<_, ()>(async { panic!("it ran") });
        yield_now().await;
        assert_eq!(g.live(), 4);
        Err("enough")
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["enough"]);
}

#[test]
fn a_child_that_is_cancelled_while_it_waits_for_the_limit_leaves_its_slot_to_the_next() {
    let hand = Hand::default();
    let ended: Never<_> = hand.finish(on(&hand).limit(1).run(async |g| {
        let (first, second) = (g.spawn(forever()), g.spawn(forever()));
        let third = g.spawn(async { Ok(3) });
        yield_now().await;
        second.cancel(stop());
        first.cancel(stop());
        Ok(third.await.unwrap())
    }));
    assert_eq!(ended.unwrap(), 3);
}

#[test]
fn a_value_of_the_body_that_panics_as_it_is_dropped_does_not_take_the_place_of_what_went_wrong() {
    reports();
    let hand = Hand::default();
    let ended = hand.finish(on(&hand).run(async |g| {
        g.spawn(async {
            yield_now().await;
            Err::<(), _>("no")
        });
        Ok(Bomb("the value"))
    }));
    assert_eq!(ended.err().unwrap().into_errors(), ["no"]);
    assert_eq!(reports().len(), 1);
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| {
        let handle = g.clone();
        g.spawn(async move {
            yield_now().await;
            handle.cancel(Cause::new(Kind::Deadline, "late"));
            forever().await
        });
        Ok(Bomb("the value"))
    }));
    assert_eq!(ended.err().unwrap().cause().unwrap().text(), "late");
    assert_eq!(reports().len(), 1);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        let group = on(&hand).run(async |g| {
            g.spawn::<_, ()>(async {
                yield_now().await;
                panic!("first")
            });
            Ok::<_, &str>(Bomb("the value"))
        });
        hand.finish(group).is_ok()
    }));
    assert_eq!(panic_message(&*payload.unwrap_err()), "first");
    assert_eq!(reports().len(), 1);
}

// What the suites of asyncio and trio ask besides: `docs/asyncio.md` says which of their tests.

#[test]
fn a_cancel_from_around_ends_the_body_and_the_children_of_a_group_that_is_busy() {
    let (hand, scope, log) = (Hand::default(), Scope::detached(), Log::default());
    let group = on(&hand).run(async |g| {
        for _ in 0..2 {
            let log = log.clone();
            g.spawn(finally(forever(), || async move { log.say("a child") }));
        }
        let log = log.clone();
        finally(forever(), || async move { log.say("the body") }).await
    });
    let mut run = pin!(scope.run(group));
    assert!(hand.run(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(hand.finish(run).unwrap_err().text(), "stop");
    let mut said = log.said();
    said.sort();
    assert_eq!(said, ["a child", "a child", "the body"]);
}

#[test]
fn an_error_of_the_body_before_its_children_begin_leaves_them_unstarted() {
    let hand = Hand::default();
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        g.spawn::<_, ()>(async { panic!("it ran") });
        Err("body")
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["body"]);
}

#[test]
fn a_cancel_from_around_goes_through_groups_in_groups() {
    let (hand, scope, log) = (Hand::default(), Scope::detached(), Log::default());
    let group = on(&hand).run(async |g| {
        let said = log.clone();
        g.spawn(finally(forever(), || async move { said.say("outer") }));
        let inner: Never<()> = on(&hand)
            .run(async |g| {
                let said = log.clone();
                g.spawn(finally(forever(), || async move { said.say("inner") }));
                forever().await
            })
            .await;
        log.say("the body goes on");
        inner.map_err(|_| "inner")
    });
    let mut run = pin!(scope.run(group));
    assert!(hand.run(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert_eq!(hand.finish(run).unwrap_err().text(), "stop");
    let mut said = log.said();
    said.sort();
    assert_eq!(said, ["inner", "outer"]);
}

#[test]
fn a_failure_in_an_outer_group_ends_the_inner_one_which_adds_nothing() {
    let (hand, log, gate) = (Hand::default(), Log::default(), Gate::default());
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        let passed = gate.passed();
        g.spawn::<_, ()>(async move {
            passed.await;
            Err("outer")
        });
        let inner: Never<()> = on(&hand)
            .run(async |g| {
                let (begun, said) = (gate.clone(), log.clone());
                let work = async move {
                    begun.open();
                    forever().await
                };
                g.spawn(finally(work, || async move { said.say("cleaned up") }));
                Ok(())
            })
            .await;
        inner.map_err(|_| "inner")
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["outer"]);
    assert_eq!(log.said(), ["cleaned up"]);
}

#[test]
fn errors_of_an_outer_and_of_an_inner_child_are_both_told() {
    let (hand, begun, failed) = (Hand::default(), Gate::default(), Gate::default());
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        let (passed, fails) = (begun.passed(), failed.clone());
        g.spawn::<_, ()>(async move {
            passed.await;
            fails.open();
            Err("outer")
        });
        let inner: Never<()> = on(&hand)
            .run(async |g| {
                let (begins, passed) = (begun.clone(), failed.passed());
                g.spawn::<_, ()>(shield(async move {
                    begins.open();
                    passed.await;
                    yield_now().await;
                    Err("inner")
                }));
                Ok(())
            })
            .await;
        inner.map_err(|error| error.into_errors()[0])
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["outer", "inner"]);
}

#[test]
fn an_error_that_the_body_gives_from_a_shield_as_it_is_cancelled_is_in_the_group() {
    let (hand, scope, log, gate) = (
        Hand::default(),
        Scope::detached(),
        Log::default(),
        Gate::default(),
    );
    let group = on(&hand).run(async |g| {
        g.spawn(forever());
        let passed = gate.passed();
        shield(async {
            passed.await;
            Err::<(), _>("late")
        })
        .await
    });
    let said = log.clone();
    let mut run = pin!(scope.run(async move {
        said.say(group.await.unwrap_err().into_errors()[0]);
        forever().await
    }));
    assert!(hand.run(run.as_mut()).is_pending());
    scope.cancel(stop());
    assert!(hand.run(run.as_mut()).is_pending());
    gate.open();
    assert_eq!(hand.finish(run).unwrap_err().text(), "stop");
    assert_eq!(log.said(), ["late"]);
}

#[test]
fn a_panic_of_the_body_beside_a_childs_failure_goes_on_after_the_error_was_reported() {
    reports();
    let (hand, gate) = (Hand::default(), Gate::default());
    let mut run = pin!(on(&hand).run(async |g| {
        let failed = gate.clone();
        g.spawn::<_, ()>(async move {
            failed.open();
            Err("an error besides")
        });
        let passed = gate.passed();
        shield(async {
            passed.await;
            yield_now().await;
            if true {
                panic!("the body broke")
            }
        })
        .await;
        Ok(())
    }));
    let payload = catch_unwind(AssertUnwindSafe(|| hand.run(run.as_mut()))).unwrap_err();
    assert_eq!(panic_message(&*payload), "the body broke");
    let reported = reports();
    assert_eq!(reported.len(), 1);
    assert!(reported[0].contains("an error besides"), "{}", reported[0]);
}

#[test]
fn the_body_around_a_group_that_failed_is_not_cancelled_and_goes_on() {
    let (hand, scope) = (Hand::default(), Scope::detached());
    let ended = hand.finish(scope.run(async {
        let failed: Never<()> = on(&hand)
            .run(async |g| {
                g.spawn::<_, ()>(async { Err("broken") });
                forever().await
            })
            .await;
        yield_now().await;
        assert!(!Scope::current().unwrap().is_cancelled());
        failed.unwrap_err().into_errors()
    }));
    assert_eq!(ended.unwrap(), ["broken"]);
}

#[test]
fn a_group_forgets_the_children_that_have_ended() {
    let hand = Hand::default();
    let ended: Never<_> = hand.finish(on(&hand).run(async |g| {
        let mut most = 0;
        for _ in 0..100 {
            g.spawn(async { Ok(()) });
            most = most.max(g.live());
            yield_now().await;
        }
        Ok(most)
    }));
    assert!((1..10).contains(&ended.unwrap()));
}

#[test]
fn a_failure_ends_a_group_whose_children_spawn_without_end() {
    let (hand, begun) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        let (handle, count) = (g.clone(), begun.clone());
        g.spawn::<_, ()>(async move {
            loop {
                let count = count.clone();
                handle.spawn(async move {
                    count.fetch_add(1, SeqCst);
                    forever().await
                });
                yield_now().await;
            }
        });
        let count = begun.clone();
        g.spawn::<_, ()>(async move {
            while count.load(SeqCst) < 10 {
                yield_now().await;
            }
            Err("enough")
        });
        Ok(())
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["enough"]);
    assert!(begun.load(SeqCst) >= 10);
}

#[test]
fn a_child_is_cancelled_by_the_failure_of_one_that_it_spawned() {
    let (hand, log) = (Hand::default(), Log::default());
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        let (handle, log) = (g.clone(), log.clone());
        g.spawn::<_, ()>(async move {
            let _dropped = log.on_drop("dropped where it waits");
            handle.spawn::<_, ()>(async { Err("spawned") });
            forever().await?;
            log.say("it goes on");
            Ok(())
        });
        Ok(())
    }));
    assert_eq!(ended.unwrap_err().into_errors(), ["spawned"]);
    assert_eq!(log.said(), ["dropped where it waits"]);
}

#[test]
fn children_that_yield_take_turns() {
    let (hand, log) = (Hand::default(), Log::default());
    let ended: Never<()> = hand.finish(on(&hand).run(async |g| {
        for _ in 0..2 {
            let log = log.clone();
            g.spawn(async move {
                for round in ["first", "second", "third"] {
                    log.say(round);
                    yield_now().await;
                }
                Ok(())
            });
        }
        Ok(())
    }));
    assert!(ended.is_ok());
    assert_eq!(
        log.said(),
        ["first", "first", "second", "second", "third", "third"]
    );
}
