"""What training an adapter takes: `training_runs` finds the cheapest run that fits, `adapter_training` writes its facts."""
