-- dataset_statistics: figures of each variant beside those of the paper.
-- Grain:   one figure of one variant. Key: variant, figure, item.
-- Inputs:  mlm, mlm_v2, mlm_irle, mlm_irle_gr and geo_cells of the release; in memory: continents (country_code,
--          continent) and published (variant, figure, item, n_paper).
WITH rows_of AS (
    SELECT 'mlm' AS variant, qid, class_labels, summaries, images, country_code, split FROM mlm
    UNION ALL
    SELECT 'mlm_v2' AS variant, qid, class_labels, summaries, images, country_code, split FROM mlm_v2
    UNION ALL
    SELECT 'mlm_irle' AS variant, qid, class_labels, summaries, images, country_code, split FROM mlm_irle
    UNION ALL
    SELECT 'mlm_irle_gr' AS variant, qid, class_labels, summaries, images, country_code, split FROM mlm_irle_gr
),
counted AS (
    SELECT variant, 'entities' AS figure, '' AS item, count(*) AS n FROM rows_of GROUP BY variant
    UNION ALL
    SELECT variant, 'images', '', sum(len(images)) FROM rows_of GROUP BY variant
    UNION ALL
    SELECT variant, 'summaries', '', sum(len(summaries)) FROM rows_of GROUP BY variant
    UNION ALL
    SELECT variant, 'classes', '', count(DISTINCT label)
    FROM (SELECT variant, unnest(class_labels) AS label FROM rows_of)
    GROUP BY variant
    UNION ALL
    SELECT variant, 'cells', '', count(*) FROM geo_cells GROUP BY variant
    UNION ALL
    SELECT variant, split, '', count(*) FROM rows_of GROUP BY variant, split
    UNION ALL
    SELECT variant, 'summaries_per_language', summary.lang, count(*)
    FROM (SELECT variant, unnest(summaries) AS summary FROM rows_of)
    GROUP BY ALL
    UNION ALL
    SELECT variant, 'entities_per_continent', coalesce(continent, 'Unknown'), count(*)
    FROM rows_of
    LEFT JOIN continents USING (country_code)
    GROUP BY ALL
    UNION ALL
    SELECT variant, 'entities_per_country', coalesce(country_code, 'unknown'), count(*) FROM rows_of GROUP BY ALL
)
SELECT
    coalesce(counted.variant, published.variant) AS variant,
    coalesce(counted.figure, published.figure) AS figure,
    coalesce(counted.item, published.item) AS item,
    CAST(coalesce(counted.n, 0) AS BIGINT) AS n,
    published.n_paper
FROM counted
FULL JOIN published
    ON published.variant = counted.variant AND published.figure = counted.figure AND published.item = counted.item;
