-- dataset: one side of the comparison of one variant in two releases.
-- Grain:   one settlement. Key: qid.
-- Inputs:  {side}_{table}.
SELECT
    qid, label, lat_deg, lon_deg, class_qids, country_code, population, cell_token, split, revision,
    len(summaries) AS n_summaries, len(images) AS n_images
FROM {side}_{table}
