-- Figures whose parts do not sum to their total. Grain: one kind of part of one variant. Inputs: audited.
WITH parts AS (
    SELECT
        variant,
        CASE
            WHEN figure IN ('train', 'validation', 'test') THEN 'splits'
            WHEN figure = 'summaries_per_language' THEN 'languages'
            WHEN figure = 'entities_per_country' THEN 'countries'
            WHEN figure = 'entities_per_continent' THEN 'continents'
        END AS parts,
        sum(n) AS n_parts
    FROM audited
    GROUP BY ALL
),
totals AS (
    SELECT variant, figure, n AS n_total
    FROM audited
    WHERE figure IN ('entities', 'summaries')
),
wanted AS (
    SELECT totals.variant, kinds.parts, totals.figure, totals.n_total
    FROM totals
    JOIN (
        SELECT unnest(['splits', 'countries', 'continents', 'languages']) AS parts,
            unnest(['entities', 'entities', 'entities', 'summaries']) AS figure
    ) AS kinds ON kinds.figure = totals.figure
)
SELECT wanted.variant, wanted.figure, wanted.parts, wanted.n_total, coalesce(parts.n_parts, 0) AS n_parts
FROM wanted
LEFT JOIN parts ON parts.variant = wanted.variant AND parts.parts = wanted.parts
WHERE coalesce(parts.n_parts, 0) <> wanted.n_total;
