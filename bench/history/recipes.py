"""Settings of a bundle to scikit-learn and LightGBM estimators.

Bench, not product. A setting that is absent means the plain default: ordinal codes, mean for holes,
no scaling, a linear model. Every estimator uses one thread.
"""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest, SelectPercentile, f_classif, f_regression
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from bench.history.tables import categorical_columns

Settings = dict[str, Any]


class FrequencyEncoder(BaseEstimator, TransformerMixin):  # type: ignore[misc]
    """Each level becomes its share of the training rows; an unseen level is 0."""

    def fit(self, features: pd.DataFrame, target: object = None) -> FrequencyEncoder:
        """Learn how frequent each value is."""
        self.shares_ = {name: features[name].value_counts(normalize=True) for name in features.columns}
        return self

    def transform(self, features: pd.DataFrame) -> np.ndarray:
        """Put the frequency of each value in its place."""
        columns = [features[name].map(self.shares_[name]).astype(float).fillna(0.0) for name in features.columns]
        return np.column_stack(columns)


def encoder(settings: Settings, is_class: bool, seed: int) -> BaseEstimator:
    """Choose how text becomes numbers."""
    kind = "auto" if is_class else "continuous"
    match settings.get("encode"):
        case "onehot":
            return OneHotEncoder(
                handle_unknown="infrequent_if_exist",
                max_categories=settings["max_levels"],
                sparse_output=False,
            )
        case "target":
            return TargetEncoder(smooth=settings["smoothing"], random_state=seed, cv=3, target_type=kind)
        case "frequency":
            return FrequencyEncoder()
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)


def imputer(settings: Settings) -> BaseEstimator:
    """Choose what stands for a missing value."""
    match settings.get("impute"):
        case "median":
            return SimpleImputer(strategy="median", keep_empty_features=True)
        case "neighbours":
            return KNNImputer(n_neighbors=5, keep_empty_features=True)
        case "indicator":
            return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return SimpleImputer(strategy="mean", keep_empty_features=True)


def scaler(settings: Settings, n_rows: int, seed: int) -> BaseEstimator | str:
    """Choose how columns are scaled."""
    match settings.get("scale"):
        case "standard":
            return StandardScaler()
        case "quantile":
            return QuantileTransformer(n_quantiles=min(200, n_rows), output_distribution="normal", random_state=seed)
        case "robust":
            return RobustScaler()
    return "passthrough"


def builder(settings: Settings, is_class: bool, n_features: int, seed: int) -> BaseEstimator | str:
    """Choose how features are built or picked."""
    score = f_classif if is_class else f_regression
    match settings.get("features"):
        case "components":
            scaled = Pipeline([("scale", StandardScaler()), ("pca", PCA(min(5, n_features - 1), random_state=seed))])
            return FeatureUnion([("same", "passthrough"), ("components", scaled)])
        case "products":
            best = SelectKBest(score, k=min(6, n_features))
            pairs = PolynomialFeatures(2, interaction_only=True, include_bias=False)
            return FeatureUnion([("same", "passthrough"), ("products", Pipeline([("best", best), ("x", pairs)]))])
        case "half":
            return SelectPercentile(score, percentile=settings.get("keep_percent", 50))
    return "passthrough"


def preparation(features: pd.DataFrame, settings: Settings, is_class: bool, seed: int) -> Pipeline:
    """Everything between the table and the model, fitted on training rows only."""
    texts = categorical_columns(features)
    numbers = [name for name in features.columns if name not in texts]
    parts: list[tuple[str, BaseEstimator | str, list[str]]] = []
    if numbers:
        steps = [("impute", imputer(settings)), ("scale", scaler(settings, len(features), seed))]
        parts.append(("numbers", Pipeline(steps), numbers))
    if texts:
        parts.append(("texts", encoder(settings, is_class, seed), texts))
    columns = ColumnTransformer(parts, sparse_threshold=0)
    return Pipeline([("columns", columns), ("build", builder(settings, is_class, features.shape[1], seed))])


BOOSTING: dict[str | None, Settings] = {
    None: {},
    "cautious": {"reg_lambda": 10.0, "min_child_samples": 40, "num_leaves": 12, "learning_rate": 0.05},
    "fine": {"min_child_samples": 5, "num_leaves": 48, "learning_rate": 0.1},
    "subsample": {"subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.6},
}
TREES: dict[str | None, Settings] = {
    None: {},
    "cautious": {"min_samples_leaf": 10},
    "fine": {"min_samples_leaf": 1, "max_features": None},
    "subsample": {"max_features": 0.6, "max_samples": 0.7, "bootstrap": True},
}
NEIGHBOURS: dict[str | None, int] = {None: 9, "cautious": 31, "fine": 3, "subsample": 9}
PENALTY: dict[str | None, float] = {None: 1.0, "cautious": 100.0, "fine": 0.01, "subsample": 1.0}


def boosting(settings: Settings, is_class: bool, seed: int) -> BaseEstimator:
    """LightGBM; stumps for the additive template, whose tuning keeps its two leaves."""
    options: dict[str, Any] = dict(BOOSTING[settings.get("tune")]) | {"n_estimators": settings["rounds"]}
    if settings["model"] == "additive":
        options |= {"num_leaves": 2, "learning_rate": 0.15}
    shared: dict[str, Any] = {
        "n_jobs": 1,
        "random_state": seed,
        "verbosity": -1,
        "deterministic": True,
        "force_row_wise": True,
    }
    if is_class:
        return lightgbm.LGBMClassifier(**options, **shared)
    return lightgbm.LGBMRegressor(**options, **shared)


def model(settings: Settings, is_class: bool, seed: int) -> BaseEstimator:
    """The estimator that a template names; a plain linear one without a template."""
    tune = settings.get("tune")
    trees = {"n_estimators": 100, "n_jobs": 1, "random_state": seed} | TREES[tune]
    match settings.get("model"):
        case "lightgbm" | "additive":
            return boosting(settings, is_class, seed)
        case "forest":
            return RandomForestClassifier(**trees) if is_class else RandomForestRegressor(**trees)
        case "extra_trees":
            return ExtraTreesClassifier(**trees) if is_class else ExtraTreesRegressor(**trees)
        case "neighbours":
            kind = KNeighborsClassifier if is_class else KNeighborsRegressor
            return kind(n_neighbors=NEIGHBOURS[tune], weights="distance" if tune == "subsample" else "uniform")
    if is_class:
        return LogisticRegression(C=1.0 / PENALTY[tune], max_iter=200)
    return Ridge(alpha=PENALTY[tune])
