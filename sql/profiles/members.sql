-- members: one side of the comparison of members in two releases.
-- Grain:   one settlement in one variant. Key: variant, qid.
-- Inputs:  {side}_members.
SELECT variant, qid, is_member, reason, cell_token, split
FROM {side}_members
