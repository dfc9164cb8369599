-- Totals that are not those of the datasets. Grain: one figure of one variant.
-- Inputs: audited, mlm, mlm_v2, mlm_irle, mlm_irle_gr, geo_cells.
WITH counted AS (
    SELECT
        'mlm' AS variant, count(*) AS entities,
        coalesce(sum(len(images)), 0) AS images, coalesce(sum(len(summaries)), 0) AS summaries
    FROM mlm
    UNION ALL
    SELECT
        'mlm_v2' AS variant, count(*) AS entities,
        coalesce(sum(len(images)), 0) AS images, coalesce(sum(len(summaries)), 0) AS summaries
    FROM mlm_v2
    UNION ALL
    SELECT
        'mlm_irle' AS variant, count(*) AS entities,
        coalesce(sum(len(images)), 0) AS images, coalesce(sum(len(summaries)), 0) AS summaries
    FROM mlm_irle
    UNION ALL
    SELECT
        'mlm_irle_gr' AS variant, count(*) AS entities,
        coalesce(sum(len(images)), 0) AS images, coalesce(sum(len(summaries)), 0) AS summaries
    FROM mlm_irle_gr
),
totals AS (
    SELECT variant, unnest(['entities', 'images', 'summaries']) AS figure, unnest([entities, images, summaries]) AS n
    FROM counted
    UNION ALL
    SELECT counted.variant, 'cells' AS figure, count(geo_cells.variant) AS n
    FROM counted
    LEFT JOIN geo_cells ON geo_cells.variant = counted.variant
    GROUP BY counted.variant
)
SELECT totals.variant, totals.figure, totals.n AS n_counted, audited.n
FROM totals
LEFT JOIN audited ON audited.variant = totals.variant AND audited.figure = totals.figure AND audited.item = ''
WHERE coalesce(audited.n, 0) <> totals.n;
