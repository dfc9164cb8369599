-- Pictures of the sample that are missing or are not what their row says. Grain: one picture.
-- Inputs: stored_pictures (checks.picture_files).
SELECT qid, file, path, picture_sha256, fault
FROM stored_pictures
WHERE fault IS NOT NULL;
