-- An act that has ended and that a channel has to be told of is kept until Slack took the message.

ALTER TABLE jobs_maint_runs DROP CONSTRAINT IF EXISTS jobs_maint_runs_state_check;
ALTER TABLE jobs_maint_runs ADD CONSTRAINT jobs_maint_runs_state_check
    CHECK (state IN ('running', 'interrupted', 'ended'));
