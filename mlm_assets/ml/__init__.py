"""Learning from the dataset: features, the model of the paper, training, evaluation. Knows nothing of Dagster."""
