-- entity_rows: the settlements of one side of a diff, per variant, and of the release as a whole (variant '').
-- Grain:  one settlement in one variant. Key: variant, qid.
-- Inputs: rows (the four variants, with their name in `variant`).
WITH facts AS (
    SELECT
        variant, qid, label, lat_deg, lon_deg, list_sort(class_qids) AS class_qids, class_labels, country_code, population,
        cell_token, split, revision
    FROM rows
)

SELECT
    variant, qid, label, lat_deg, lon_deg, class_qids, class_labels, country_code, population, cell_token, split, revision
FROM facts
UNION ALL
-- What is said of a settlement is the same in every variant; its cell is not, so the whole has none.
SELECT
    '', qid, min(label), min(lat_deg), min(lon_deg), min(class_qids), min(class_labels), min(country_code), min(population),
    NULL, min(split), min(revision)
FROM facts
GROUP BY qid;
