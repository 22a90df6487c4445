"""What `profile`, `profile_check` and `characterize` share: frame series, statistics, the profile."""
