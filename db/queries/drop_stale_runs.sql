-- Deletes runs that were prepared before the newest result (or rung value, where the model learns from these) came and
-- nobody was ever given, with why they were suggested, and counts them as never prepared. Of their ordinals those at the
-- end are free again. Gives how many these were, how many wait now, the next ordinal, the spec's version, results (or rung
-- values), how many more there may be now (by the cap, and by the most runs at once), and whether the sweep is exhausted.
-- $1 sweep. Called by store_drop_stale_runs under lock_refill.
WITH counter AS MATERIALIZED (
    SELECT CASE WHEN s.learns_rungs THEN c.rung_values ELSE c.results END AS number
    FROM besom.sweep_counters c
    JOIN besom.sweeps s ON s.sweep_id = c.sweep_id
    WHERE c.sweep_id = $1
), dropped AS (
    DELETE FROM besom.runs r
    USING counter
    WHERE r.sweep_id = $1 AND r.state = 'pending' AND r.attempt = 0 AND r.fresh_until < counter.number
    RETURNING r.ordinal
), reasons AS (
    DELETE FROM besom.suggestions g
    USING dropped
    WHERE g.sweep_id = $1 AND g.ordinal = dropped.ordinal
), tail AS (
    SELECT count(*) AS runs
    FROM (SELECT ordinal, row_number() OVER (ORDER BY ordinal DESC) AS n FROM dropped) last
    WHERE ordinal = (SELECT next_ordinal FROM besom.sweeps WHERE sweep_id = $1) - n
)
UPDATE besom.sweeps s
SET prepared = prepared - (SELECT count(*) FROM dropped), next_ordinal = next_ordinal - (SELECT runs FROM tail),
    exhausted = exhausted AND NOT EXISTS (SELECT FROM dropped)
FROM counter
WHERE s.sweep_id = $1
RETURNING (SELECT count(*) FROM dropped),
          (SELECT count(*) FROM besom.runs WHERE sweep_id = $1 AND state = 'pending') - (SELECT count(*) FROM dropped),
          s.next_ordinal, s.spec_version, counter.number,
          least(CASE WHEN s.run_cap = 0 THEN 9223372036854775807 ELSE s.run_cap - s.prepared END,
                CASE WHEN s.concurrency = 0 THEN 9223372036854775807
                     ELSE greatest(1, s.concurrency - (
                         SELECT count(*) FROM besom.runs
                         WHERE sweep_id = $1 AND state IN ('assigned', 'running', 'preempting'))) END),
          s.exhausted;
