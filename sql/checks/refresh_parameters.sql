-- Parameters of a release that are missing (value null) or no acceptable value. Grain: one parameter.
-- Inputs: audited.
WITH pinned AS (
    SELECT name, value FROM audited WHERE kind = 'parameter'
),
wanted AS (
    SELECT wanted_parameters.name, pinned.value
    FROM (SELECT unnest(['base_class', 'hops', 't_min', 't_max', 'quota_total']) AS name) AS wanted_parameters
    LEFT JOIN pinned ON pinned.name = wanted_parameters.name
)
SELECT name, value
FROM wanted
WHERE NOT CASE name
    WHEN 'base_class' THEN coalesce(regexp_full_match(value, 'Q[1-9][0-9]*'), FALSE)
    WHEN 'hops' THEN coalesce(TRY_CAST(value AS BIGINT) BETWEEN 0 AND 6, FALSE)
    WHEN 't_max' THEN coalesce(
        TRY_CAST(value AS BIGINT) >= (SELECT TRY_CAST(value AS BIGINT) FROM pinned WHERE name = 't_min'), FALSE
    )
    ELSE coalesce(TRY_CAST(value AS BIGINT) >= 1, FALSE)
END;
