"""`bench steps RUN`: evaluate a run by its samplers in several numbers of steps."""

from collections.abc import Sequence

from pydantic import BaseModel, Field, PositiveInt, ValidationError

from bench.config.components import Component, configured
from bench.config.load import is_own_sampler, names, read, results_folder, sampler
from bench.config.schema import Config, ConfigError, Section, arguments, check_name
from bench.runs.build import build_data, build_model, data_spec
from bench.runs.reproduce import changes_of, own_settings, recorded_config, reevaluate
from bench.runtime.console import console


class Points(Section):
    """What `bench steps` takes beside the settings of `bench evaluate`.

    samplers: files of configs/sampler/, or places of the user's own.
    """

    samplers: list[str] | None = None  # None: all that fit the model
    steps: list[PositiveInt] = Field(default=[5, 10, 20, 50, 100])


def measure_steps(run: str, overrides: Sequence[str]) -> None:
    """Evaluate a trained run by each sampler in each number of steps, and extend its record.

    A sampler that cannot take a number of steps is left out at that number, with its reason; ConfigError if all are.
    """
    points, others = own_settings(overrides, Points)
    results = results_folder(others)
    changes = changes_of(run, results, others)[1]
    _, config, _ = recorded_config(run, results, {**changes, "results": str(results)})
    kinds = kinds_of(configured("model", config))
    for kind in points.samplers or ():
        if not is_own_sampler(kind):
            check_name("samplers", kind, kinds)
    wanted = [f"{kind}-{steps}" for kind in points.samplers or kinds for steps in points.steps]
    reevaluate(run, [f"samplers=[{','.join(accepted(config, wanted))}]", *others])


def kinds_of(model: Component) -> list[str]:
    """Return the files of configs/sampler/ whose settings a model's `sample` takes."""
    schema = arguments(model.load().sample)
    kinds = [kind for kind in names("sampler") if fits(read("sampler", kind), schema)]
    if not kinds or "steps" not in schema.model_fields:
        raise ConfigError(f"steps: model={model.name} has no sampler with a number of steps", key="steps")
    return kinds


def fits(settings: dict[str, object], schema: type[BaseModel]) -> bool:
    """Return whether a schema takes settings, and these name the method where there are several."""
    try:
        schema(**settings)
    except ValidationError:
        return False
    return ("method" in settings) == ("method" in schema.model_fields)


def accepted(config: Config, wanted: Sequence[str]) -> list[str]:
    """Return the samplers that the model can draw with; print why it cannot draw with the others."""
    model = build_model(config, data_spec(build_data(config)))
    reasons: dict[str, str] = {}
    for name in wanted:
        try:
            model.check_sampler(**sampler(name, "samplers"))
        except ValueError as error:
            reasons[name] = str(error)
    for reason in dict.fromkeys(reasons.values()):
        refused = ", ".join(name for name in reasons if reasons[name] == reason)
        console.print(f"  left out: {refused}: {reason}", markup=False)
    if len(reasons) == len(wanted):
        raise ConfigError(f"steps: {config.model['name']} can draw by none of {', '.join(wanted)}", key="steps")
    return [name for name in wanted if name not in reasons]
