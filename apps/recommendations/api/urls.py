"""Routes of this door."""

from django.urls import URLPattern, URLResolver, path

from apps.recommendations.api import forecasts, impact, importance, projects, trainings

urlpatterns: list[URLPattern | URLResolver] = [
    path("impact/", impact.Impact.as_view()),
    path("projects/<str:project>/advice/", projects.ProjectAdvice.as_view()),
    path("projects/<str:project>/forecasts/", projects.ProjectForecasts.as_view()),
    path("projects/<str:project>/outcome/derive/", projects.ProjectOutcomeByRule.as_view()),
    path("forecasts/", forecasts.Questions.as_view()),
    path("forecasts/<uuid:question>/", forecasts.Question.as_view()),
    path("experiments/<str:experiment>/importance/", importance.ExperimentImportance.as_view()),
    path("importances/<uuid:importance>/", importance.ImportanceDetail.as_view()),
    path("calibration/", forecasts.CalibrationView.as_view()),
    path("trainings/", trainings.TrainingList.as_view()),
    path("trainings/<uuid:training>/", trainings.TrainingDetail.as_view()),
    path("trainings/<uuid:training>/rollback/", trainings.TrainingRollback.as_view()),
]
