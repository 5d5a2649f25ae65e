"""What the bot does without being asked: it watches the jobs, tells of trouble, and beats."""
