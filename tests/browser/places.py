"""Where the pages of the browser tests' tenant are, by name."""

from urllib.parse import quote

from tests.browser.conftest import Site


def pages_of(site: Site) -> dict[str, str]:
    """Every page that a person of a tenant works with; the plain tables under Settings are found by clicking."""
    return {name: f"{site.url}/{path}" for name, path in (tracking(site) | upper_rooms(site)).items()}


def tracking(site: Site) -> dict[str, str]:
    """Home, projects, experiments, runs and comparisons, full and empty, right and wrong."""
    scene, run = site.scene, site.scene.runs[3]
    some = "&".join(f"run={one.pk.hex}" for one in scene.runs[3:7])
    here = f"experiment={scene.experiment.pk}"
    runs = "tracking/run/"
    return {
        "home": "",
        "search": "search/?q=churn",
        "search_none": "search/?q=nothing-is-called-so",
        "projects": "tracking/project/",
        "project": f"tracking/project/{scene.project.pk}/change/",
        "project_open": f"tracking/project/{scene.open_project.pk}/change/",
        "project_form": f"tracking/project/{scene.project.pk}/edit/",
        "project_new": "tracking/project/add/",
        "experiments": "tracking/experiment/",
        "runs": runs,
        "runs_of_an_experiment": f"{runs}?{here}&sort=-m.auc&q=metrics.auc+%3E+0.1&c=m.auc&c=p.boosting&c=t.stage",
        "runs_by_a_view": f"{runs}?{here}&saved={scene.view.pk.hex}&sort=-m.auc&c=m.auc&c=p.boosting&cols=1",
        "runs_as_charts": f"{runs}?{here}&view=charts&{some}&hide={run.pk.hex}",
        "runs_bad_filter": f"{runs}?q=metrics.auc+%3E",
        "runs_none": f"{runs}?q=nobody+is+called+so",
        "runs_never": f"{runs}?experiment=0",
        "run": f"{runs}{run.pk}/change/",
        "run_live": f"{runs}{scene.runs[0].pk}/change/",
        "run_note": f"{runs}{run.pk}/change/?file=notes.md&smooth=0.6&x=time",
        "run_table": f"{runs}{run.pk}/change/?file={quote('data/scores.csv', safe='')}&x=clock&log=1",
        "run_notebook": f"{runs}{run.pk}/change/?file=work.ipynb",
        "run_find": f"{runs}{run.pk}/change/?find=loss&metric=zzz",
        "traces": "tracking/trace/",
        "traces_of_an_experiment": f"tracking/trace/?{here}&sort=-duration&q=tags.customer+%3D+%27blue%27",
        "traces_bad_filter": "tracking/trace/?q=tags.customer+%3D",
        "traces_none": "tracking/trace/?experiment=0",
        "trace": f"tracking/trace/{scene.trace}/change/?span=s5",
        "trace_table": f"tracking/trace/{scene.trace}/change/?as=table&find=call",
        "trace_without_spans": "tracking/trace/tr-01/change/",
        "exports": "runs/exports/",
        "exports_ask": f"runs/exports/?which=chosen&{some}",
        "act_tag": f"runs/act/?do=tag&{some}",
        "act_move": f"runs/act/?do=move&{some}",
        "compare": f"compare/?{some}",
        "compare_all": f"compare/?{some}&all=1&axis=p.learning_rate&axis=m.auc&color=p.learning_rate&sx=m.auc&sy=m.val_loss",
        "compare_one": f"compare/?run={run.pk.hex}",
        "compare_none": "compare/",
    }


def upper_rooms(site: Site) -> dict[str, str]:
    """Artifacts, versions, impact and settings."""
    scene = site.scene
    assert scene.version is not None
    assert scene.prompt is not None
    return {
        "artifacts": "registry/artifact/",
        "find": "find/?q=encoder",
        "find_all": "find/",
        "find_none": "find/?q=nothing-is-called-so&kind=schema",
        "artifact_trash": "artifacts/trash/",
        "artifact": f"registry/artifact/{scene.artifacts[0].pk}/change/",
        "version": f"registry/artifactversion/{scene.version.pk}/change/",
        "artifact_compare": f"artifacts/{scene.artifacts[0].pk}/compare/",
        "artifact_compare_one": f"artifacts/{scene.version.artifact_id}/compare/",
        "prompt_compare": f"artifacts/{scene.prompt.artifact_id}/compare/?a=1&b=2",
        "version_lineage": f"registry/artifactversion/{scene.version.pk}/lineage/?up=4&down=3",
        "version_built_on": f"registry/artifactversion/{scene.version.pk}/built-on/",
        "run_lineage": f"runs/{scene.runs[3].pk}/lineage/",
        "prompt": f"registry/artifact/{scene.prompt.artifact_id}/change/",
        "prompt_version": f"registry/artifactversion/{scene.prompt.pk}/change/",
        "impact": "impact/",
        "impact_refused": "impact/?unit=project",
        "trainings": "impact/trainings/",
        "calibration": "impact/calibration/",
        "what_if": f"what-if/?project={scene.open_project.pk}",
        **{f"what_if_{name}": f"what-if/{question.pk}/" for name, question in scene.questions.items()},
        "importance": f"importance/{scene.experiment.pk}/",
        "importance_refused": f"importance/{scene.experiment.pk}/?metric=val_loss",
        "importance_waiting": f"importance/{scene.experiment.pk}/?metric=train_loss",
        "trash": "runs/trash/",
        "signing_keys": "signing-keys/",
        "storage": "storage/",
        "model": f"registry/artifact/{scene.version.artifact_id}/change/",
        "gates": "registry/gate/",
        "gate_new": "registry/gate/add/",
        "promotions": "registry/promotion/",
        "promotion": f"registry/promotion/{scene.promotion.pk}/change/",
        "team": "team/?weeks=260",
        "time_zone": "team/time-zone/",
        "measured": f"team/{scene.open_project.pk}/",
        "team_rows": "team/?measure=run_success",
        "connections": "connections/",
        "settings": "settings/",
        "password": "password_change/",
    }
