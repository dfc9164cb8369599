-- Settlements whose images are not numbered 0, 1, 2, ... Grain: one settlement. Inputs: audited.
SELECT qid, count(*) AS n_images, list(image_index ORDER BY image_index) AS image_indices
FROM audited
GROUP BY qid
HAVING count(DISTINCT image_index) <> count(*) OR min(image_index) <> 0 OR max(image_index) <> count(*) - 1;
