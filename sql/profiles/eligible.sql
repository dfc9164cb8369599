-- eligible: one side of the comparison of who is eligible in two releases.
-- Grain:   one settlement in one variant. Key: variant, qid.
-- Inputs:  {side}_eligible.
SELECT variant, qid, reason, lat_deg, lon_deg, country_code, n_summaries, n_images
FROM {side}_eligible
