"""What runs by itself, and how runs are kept in order: conditions, schedules, jobs, the instance, the headless walk."""
