-- Ends attempts that lock_ends has locked and found current, one row for each key, in order: queued again, paused, or
-- terminal with the next result number of its sweep. Leases go before the counters are locked. A run that pauses becomes
-- what the verdict says when that is there: its newest one counts, promoted only at the newest rung that it got to. Where
-- runs pause, an end is numbered among the rung values.
-- Arrays: $1 sweeps, $2 runs, $3 attempts, $4 states, $5 reasons, $6 error texts, $7 exit codes, $8 signals, $9 run times,
-- $10 may be tried again, $11 most retries, $12 the best value is the objective. Called by store_finish_runs.
WITH item AS MATERIALIZED (
    SELECT k.*, r.result_number AS old_number, r.ordinal, s.pauses,
           k.may_retry AND r.retries < k.retries_max AND s.state NOT IN ('finished', 'canceled') AS again,
           CASE WHEN k.state <> 'paused' THEN k.state
                WHEN s.state = 'canceled' THEN 'killed'
                WHEN s.state = 'finished' OR verdict.promoted IS FALSE THEN 'stopped'
                WHEN verdict.band_index >= newest.band_index THEN 'pending'
                ELSE 'paused' END AS next_state,
           CASE WHEN k.run_time_ms > 0 THEN k.run_time_ms
                ELSE coalesce((extract(epoch FROM now() - a.started_at) * 1000)::bigint, 0) END AS took_ms
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::integer[],
                $8::integer[], $9::bigint[], $10::boolean[], $11::bigint[], $12::boolean[]) WITH ORDINALITY
        AS k (sweep_id, run_id, attempt, state, end_reason, error_text, exit_code, signal, run_time_ms, may_retry,
              retries_max, has_objective, i)
    JOIN besom.run_attempts a ON a.sweep_id = k.sweep_id AND a.run_id = k.run_id AND a.attempt = k.attempt
    JOIN besom.runs r ON r.sweep_id = k.sweep_id AND r.run_id = k.run_id
    JOIN besom.sweeps s ON s.sweep_id = k.sweep_id
    LEFT JOIN LATERAL (
        SELECT v.promoted, v.band_index
        FROM besom.cohort_verdicts v
        WHERE k.state = 'paused' AND v.sweep_id = k.sweep_id AND v.run_id = k.run_id
        ORDER BY v.band_index DESC
        LIMIT 1
    ) verdict ON true
    LEFT JOIN LATERAL (
        SELECT max(v.band_index) AS band_index
        FROM besom.rung_values v
        WHERE k.state = 'paused' AND v.sweep_id = k.sweep_id AND v.run_id = k.run_id AND v.kind = 'value'
    ) newest ON true
), gone AS (
    DELETE FROM besom.leases l
    USING item
    WHERE l.sweep_id = item.sweep_id AND l.run_id = item.run_id
    RETURNING l.run_id
), numbered AS MATERIALIZED (
    SELECT sweep_id, run_id, pauses, old_number IS NULL AS is_new,
           count(*) FILTER (WHERE old_number IS NULL) OVER place AS n,
           count(*) FILTER (WHERE pauses) OVER place AS end_n
    FROM item
    WHERE NOT again AND next_state NOT IN ('pending', 'paused')
    WINDOW place AS (PARTITION BY sweep_id ORDER BY i)
), counters AS (
    UPDATE besom.sweep_counters c
    SET results = c.results + total.n, rung_values = c.rung_values + total.ends
    FROM (SELECT sweep_id, count(*) FILTER (WHERE is_new) AS n, count(*) FILTER (WHERE pauses) AS ends
          FROM numbered
          WHERE is_new OR pauses
          GROUP BY sweep_id
          ORDER BY sweep_id) total
    WHERE c.sweep_id = total.sweep_id AND (SELECT count(*) FROM gone) >= 0
    RETURNING c.sweep_id, c.results - total.n AS base, c.rung_values - total.ends AS end_base
), attempts AS (
    UPDATE besom.run_attempts a
    SET ended_at = now(), end_reason = item.end_reason, run_time_ms = item.took_ms
    FROM item
    WHERE a.sweep_id = item.sweep_id AND a.run_id = item.run_id AND a.attempt = item.attempt
    RETURNING a.sweep_id, a.run_id, a.best_value
), ends AS (
    INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best, kind, ordinal)
    SELECT item.sweep_id, counters.end_base + numbered.end_n, item.run_id, item.attempt, -1, 0,
           CASE WHEN item.next_state = 'finished' THEN coalesce(attempts.best_value, 'NaN') ELSE 'NaN' END, 'NaN', 'ended',
           item.ordinal
    FROM item
    JOIN attempts ON attempts.sweep_id = item.sweep_id AND attempts.run_id = item.run_id
    JOIN numbered ON numbered.sweep_id = item.sweep_id AND numbered.run_id = item.run_id
    JOIN counters ON counters.sweep_id = item.sweep_id
    WHERE item.pauses
), runs AS (
    UPDATE besom.runs r
    SET state = CASE WHEN item.again THEN 'pending' ELSE item.next_state END,
        end_reason = CASE WHEN numbered.run_id IS NULL THEN ''
                          WHEN item.state <> 'paused' THEN item.end_reason
                          WHEN item.next_state = 'stopped' THEN 'early_stop'
                          ELSE 'user' END,
        priority = CASE WHEN item.again OR item.next_state = 'pending' THEN 1 ELSE r.priority END,
        retries = r.retries + CASE WHEN item.again THEN 1 ELSE 0 END,
        exit_code = item.exit_code, signal = item.signal, error_text = item.error_text,
        run_time_ms = r.run_time_ms + item.took_ms,
        objective = CASE WHEN item.has_objective AND numbered.run_id IS NOT NULL THEN attempts.best_value END,
        ended_at = CASE WHEN numbered.run_id IS NOT NULL THEN now() END,
        result_number = coalesce(r.result_number, counters.base + numbered.n)
    FROM item
    JOIN attempts ON attempts.sweep_id = item.sweep_id AND attempts.run_id = item.run_id
    LEFT JOIN numbered ON numbered.sweep_id = item.sweep_id AND numbered.run_id = item.run_id
    LEFT JOIN counters ON counters.sweep_id = item.sweep_id
    WHERE r.sweep_id = item.sweep_id AND r.run_id = item.run_id
    RETURNING item.i, r.state, item.end_reason, r.state = 'pending', coalesce(r.result_number, 0)
)
SELECT * FROM runs ORDER BY 1;
