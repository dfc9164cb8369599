-- touched: the articles whose text is not the reference's. Only these are read closely: what is as it was is no news.
-- Grain:   one article. Key: qid, lang.
-- Inputs:  old_summaries, new_summaries.
SELECT DISTINCT new_summaries.qid, new_summaries.lang
FROM new_summaries
ANTI JOIN old_summaries
    ON old_summaries.qid = new_summaries.qid
    AND old_summaries.lang = new_summaries.lang
    AND old_summaries.text_sha256 = new_summaries.text_sha256
WHERE new_summaries.status = 'ok'
