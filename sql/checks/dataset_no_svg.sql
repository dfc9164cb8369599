-- Images of the variant that are SVG drawings. Grain: one image of one settlement. Inputs: audited, images.
WITH taken AS (
    SELECT qid, unnest(images) AS image FROM audited
),
named AS (
    SELECT qid, image.name AS name, image.file AS file FROM taken
)
SELECT named.qid, named.name, named.file
FROM named
JOIN images ON images.qid = named.qid AND images.file = named.file
WHERE images.is_svg;
