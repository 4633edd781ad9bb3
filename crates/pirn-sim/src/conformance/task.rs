//! Tasks that leave a future alone and poll another: whose is the grant?

use super::Subject;
use super::bell::Bells;
use super::findings::Property;
use super::model::Breach;
use super::rules::{Kind, Rules};
use super::run::Run;
use super::script::Step;

/// What a program begins with, where a script is written.
pub(super) const PREFIX: &str = "task:";

/// A program of one task with two futures, and of strangers:
///
/// | letter | meaning |
/// | --- | --- |
/// | `A` | the task's first future comes; from here on the task does not poll it |
/// | `s` | a stranger comes |
/// | `B` | the task's second future comes |
/// | `!` | as much is given as `A` needs |
/// | `-` | what was given is taken back |
/// | `b` | the task polls its second future |
/// | `r` | all let go of what they have |
///
/// Then the task polls `B` and nothing else. `A` was served, and the task was woken for it; so `B` has
/// to complete.
pub(super) fn programs(rules: &Rules) -> Vec<String> {
    let mut programs = Vec::new();
    if rules.kind != Kind::Units || rules.together < 2 {
        return programs;
    }
    for between in 0..=2 {
        let before = "s".repeat(between);
        // `B` is asked for no more than `A` was given.
        if (rules.takes)(between + 1) > (rules.takes)(0) {
            continue;
        }
        for after in ["", "s"] {
            programs.push(format!("A{before}B{after}!"));
        }
        programs.push(format!("A{before}!B"));
        if rules.withdraws {
            // `A` has used its waker up, and is the first again.
            programs.push(format!("A{before}B!-b!"));
        }
        if !rules.in_order {
            // A stranger may have overtaken it.
            programs.push(format!("A{before}B!sbr"));
        }
    }
    programs
}

/// Runs a program on a run that has just begun.
pub(super) fn run<S: Subject>(mut run: Run<'_, S>, program: &str) -> Result<(), Breach> {
    let (mut arrived, mut second) = (0, None);
    for letter in program.chars() {
        let bells = match letter {
            '-' => {
                run.act(Step::Withdraw)?;
                continue;
            }
            'b' => {
                if let Some(second) = second.filter(|who| run.is_waiting(*who)) {
                    run.act(Step::Poll(second))?;
                }
                continue;
            }
            'r' => {
                run.release_all()?;
                continue;
            }
            '!' => {
                while !run.model.is_due(0) && run.model.can_serve() {
                    run.act(Step::Serve)?;
                }
                continue;
            }
            'B' => {
                second = Some(arrived);
                run.bells_of(0)
            }
            'A' | 's' => Bells::new(),
            _ => panic!("{program:?} is no program of a task"),
        };
        if letter == 'A' || letter == 'B' {
            run.tell(|| format!("{arrived} is one of the task's futures"));
        }
        run.arrive(bells)?;
        arrived += 1;
    }
    let second = second.expect("a task has two futures");
    if run.is_waiting(second) && !program.contains('b') {
        run.act(Step::Poll(second))?;
    }
    // It may be woken anew for as long as it likes.
    for _ in 0..10 {
        if run.is_waiting(second) && run.is_woken(second) {
            run.act(Step::Poll(second))?;
        }
    }
    if run.is_waiting(second) {
        let what = format!(
            "the task was woken for 0, polls {second} alone, and waits for ever for what it was given"
        );
        return Err((Property::GrantIsTheTasks, what));
    }
    // Now it goes on, and comes to the first.
    run.tell(|| "the task goes on, and polls its first future again".to_owned());
    if run.is_waiting(0) {
        run.act(Step::Poll(0))?;
    }
    run.finish()
}
