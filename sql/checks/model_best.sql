-- The number of epochs marked as best, where it is not one. Grain: the model. Inputs: audited.
SELECT count(*) FILTER (is_best) AS n_best, count(*) AS n_epochs
FROM audited
HAVING count(*) FILTER (is_best) <> 1;
