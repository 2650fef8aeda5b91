//! Forgetting old runs.

use jiff::Timestamp;

use crate::error::HistoryError;
use crate::id::RunId;
use crate::record::{RunState, RunSummary, Verdict};
use crate::row::{SUMMARY_COLUMNS, summary};
use crate::schema::History;

/// Which runs to forget. A run goes only when every rule that is given names it; without any rule
/// none goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prune {
    /// Names all but the newest so many runs of each service and test.
    pub keep_last: Option<u32>,
    /// Names the runs that started before this time.
    pub older_than: Option<Timestamp>,
    /// Forget also the runs that would be the next baseline: without this, the newest one fit for it
    /// stays for each service, test and environment, real runs and rehearsals apart.
    pub force: bool,
    /// Only tell what would go.
    pub dry_run: bool,
}

/// What was forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The runs that are gone (or would be), newest first.
    pub removed: Vec<RunId>,
    /// The runs that the rules named and that stay as the next baseline.
    pub spared: Vec<RunId>,
}

impl History {
    /// Forgets old runs and gives their space back to the disk. Runs that are under way stay.
    ///
    /// # Errors
    /// The file cannot be written; nothing is forgotten then.
    pub fn prune(&self, rule: &Prune) -> Result<Pruned, HistoryError> {
        if rule.keep_last.is_none() && rule.older_than.is_none() {
            return Ok(Pruned::default());
        }
        let fault = |e| self.fault("pruning", e);
        let transaction = self.write()?;
        let now = Timestamp::now();
        let runs: Vec<(RunSummary, i64)> = transaction
            .prepare(&format!(
                "SELECT {SUMMARY_COLUMNS} FROM runs ORDER BY started_at DESC, key DESC"
            ))
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| summary(row, now))?
                    .collect::<Result<_, _>>()
            })
            .map_err(fault)?;

        let mut pruned = Pruned::default();
        for (run, key) in choose(rule, &runs, &mut pruned) {
            pruned.removed.push(run);
            if !rule.dry_run {
                transaction
                    .prepare_cached("DELETE FROM runs WHERE key = ?1")
                    .and_then(|mut statement| statement.execute([key]))
                    .map_err(fault)?;
            }
        }
        transaction.commit().map_err(fault)?;
        if !rule.dry_run && !pruned.removed.is_empty() {
            // The runs are gone by now; that another process keeps the file from shrinking is no
            // reason to say that pruning failed.
            let _ = self
                .connection
                .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
        }
        Ok(pruned)
    }
}

/// The runs that go; those spared are written to `pruned`. `runs` are newest first.
fn choose(rule: &Prune, runs: &[(RunSummary, i64)], pruned: &mut Pruned) -> Vec<(RunId, i64)> {
    use std::collections::{HashMap, HashSet};

    let mut seen: HashMap<(&str, &str), u32> = HashMap::new();
    let mut with_baseline = HashSet::new();
    let mut go = Vec::new();
    for (run, key) in runs {
        let rank = seen.entry((&run.service, &run.test)).or_default();
        *rank += 1;
        let next_baseline = fit_for_baseline(run)
            && with_baseline.insert((
                &run.service,
                &run.test,
                &run.environment,
                run.rehearsal_seconds.is_some(),
            ));
        let named = rule.keep_last.is_none_or(|keep| *rank > keep)
            && rule.older_than.is_none_or(|limit| run.started_at < limit);
        if !named || run.state == RunState::Running {
            continue;
        }
        if next_baseline && !rule.force {
            pruned.spared.push(run.run_id);
        } else {
            go.push((run.run_id, *key));
        }
    }
    go
}

fn fit_for_baseline(run: &RunSummary) -> bool {
    matches!(run.state, RunState::Finished(Verdict::Pass | Verdict::Warn))
        && !run.partial
        && !run.waived
        && run.invalidated.is_none()
}
