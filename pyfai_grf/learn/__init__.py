"""Training, evaluation, intervals and the model bundle; the only room that imports xgboost."""
