-- Epochs that are not numbered 1, 2, 3, ... Grain: one epoch. Inputs: audited.
SELECT epoch, place
FROM (SELECT epoch, row_number() OVER (ORDER BY epoch) AS place FROM audited)
WHERE epoch <> place;
