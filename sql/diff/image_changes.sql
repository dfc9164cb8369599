-- image_changes: what became of each picture. Files are told apart by name; a file that has another name and the same
-- bytes was renamed. Withheld pictures are not published: one that is withheld on one side came or went.
-- Grain:  one picture of a settlement in one variant, on either side. Key: variant, qid, file.
-- Inputs: image_before, image_after.
WITH paired AS (
    SELECT
        coalesce(now.variant, past.variant) AS variant, coalesce(now.qid, past.qid) AS qid,
        coalesce(now.file, past.file) AS file,
        past.file IS NOT NULL AS was_held, now.file IS NOT NULL AS is_held,
        past.file IS NOT NULL AND past.withheld IS NULL AS was_out, now.file IS NOT NULL AND now.withheld IS NULL AS is_out,
        past.file_sha1 AS sha1_before, now.file_sha1 AS sha1_after, past.path AS path_before, now.path AS path_after,
        past.name AS name_before, now.name AS name_after, past.withheld AS withheld_before, now.withheld AS withheld_after
    FROM image_before AS past
    FULL JOIN image_after AS now ON now.variant = past.variant AND now.qid = past.qid AND now.file = past.file
),

named AS (
    SELECT
        *,
        CASE WHEN NOT was_held THEN min(file) FILTER (WHERE NOT is_held) OVER same_bytes END AS old_name,
        CASE WHEN NOT is_held THEN min(file) FILTER (WHERE NOT was_held) OVER same_bytes END AS new_name
    FROM paired
    WINDOW same_bytes AS (PARTITION BY variant, qid, coalesce(sha1_before, sha1_after))
)

SELECT
    variant, qid, file,
    CASE
        WHEN is_out AND old_name IS NOT NULL THEN 'renamed'
        WHEN was_out AND new_name IS NOT NULL THEN 'old_name'
        WHEN is_out AND NOT was_held THEN 'new'
        WHEN is_out AND NOT was_out THEN 'published'
        WHEN was_out AND NOT is_held THEN 'gone'
        WHEN was_out AND NOT is_out THEN 'withheld'
        WHEN NOT was_out AND NOT is_out THEN 'never_published'
        WHEN sha1_before <> sha1_after THEN 'replaced'
        WHEN path_before <> path_after THEN 'redrawn'
        WHEN name_before <> name_after THEN 'renumbered'
        ELSE 'same'
    END AS change,
    was_out, is_out, old_name, sha1_before, sha1_after, path_before, path_after, name_before, name_after,
    withheld_before, withheld_after
FROM named;
