"""The schedules behind `eager.optim.lr_scheduler`, by topic."""
