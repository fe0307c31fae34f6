"""Transfer: records out of files.

run = imports.upload(object_name="crm_account", file_name="a.csv", content=data, by=actor)
imports.choose(run_id=run.id, mapping=[…], mode="upsert", match_field="code", by=actor)
imports.check(run_id=run.id, by=actor)   # a dry run, as a job
imports.start(run_id=run.id, by=actor)   # the import, as a job that resumes; imports.undo takes it back
"""
