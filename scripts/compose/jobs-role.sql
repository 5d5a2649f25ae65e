-- The image of PostgreSQL runs this once, as the superuser, when its volume is new.
-- Our services connect as `jobs`: an ordinary role, which owns the jobs database and nothing else.
\getenv password JOB_QUEUE_DATABASE_PASSWORD
CREATE ROLE jobs LOGIN PASSWORD :'password';
CREATE DATABASE jobs OWNER jobs;
