-- What several operations need in their own transaction.

-- name: without_jit
-- Compiling takes longer than these statements; for this transaction only.
SELECT set_config('jit', 'off', true);

-- name: get_time
SELECT now() AS now;
