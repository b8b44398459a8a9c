"""Configurations: bad ones end in one clear line, good ones have a stable identity."""

import pytest

from bench.cli.main import main
from bench.config.load import load, names
from bench.config.schema import ConfigError
from bench.results.identity import run_id
from models import MODELS

BAD = {  # the words of a command -> what its one line must name
    "train modle=vae": ["modle", "did you mean model"],
    "train model=vea": ["model=vea", "did you mean vae", "gan", "ddpm"],
    "train data=minst": ["data=minst", "did you mean mnist", "cifar10"],
    "train preset=quik": ["preset=quik", "did you mean quick", "smoke"],
    "train model=vae model.latent_dims=3": ["model.latent_dims", "did you mean latent_dim", "beta"],
    "train model=vae model.latent_dim=0": ["model.latent_dim=0", "greater than 0"],
    "train model=vae model.latent_dim=ten": ["model.latent_dim=ten", "integer"],
    "train model=vae model.latent_dim=2.5": ["model.latent_dim=2.5", "integer"],
    "train model=vae model.architecture=transformer": ["architecture=transformer", "'conv' or 'linear'"],
    "train model=vae model.beta=-1": ["model.beta=-1", "greater than or equal to 0"],
    "train model=vae model=": ["model=", "vae"],
    "train model=ddpm model.T=1": ["model.T=1", "greater than or equal to 2"],
    "train model=ddpm model.beta_T=1.5": ["model.beta_T=1.5", "less than 1"],
    "train model=ddpm model.channels=[]": ["model.channels=[]", "at least 1"],
    "train model=ddpm model.channels=[7,8]": ["channels=[7, 8]", "even"],
    "train model=ncsn model.sigma_min=40": ["sigma_min=40", "sigma_max=34"],
    "train model=ncsn data=grid_25 model.levels=null": ["levels=null", "choose a number"],
    "train model=ncsn samplers.slow.method=langevin samplers.slow.eta=0.5": ["samplers.slow", "eta=0.5", "heun"],
    "train model=sohl_dickstein data=ring_8 model.kernel=binomial": ["kernel=binomial", "choose gaussian"],
    "train model=sohl_dickstein model.kernel=binary": ["model.kernel=binary", "binomial"],
    "train model=flow_matching samplers=[edm-heun-10]": ["samplers.edm-heun-10.grid", "method", "steps"],
    "train model=flow_matching samplers=[flow-1]": ["samplers.flow-1.method=map", "'euler' or 'heun'"],
    "train model=flow_map model.ratio=0.2": ["ratio=0.2", "choose from soflow, consistency"],
    "train model=flow_map model.objective=consistency": ["samplers.flow-2", "steps=2", "method=consistency"],
    "train model=ddpm samplers=[ddim-5O]": ["samplers=ddim-5O", "ddim-STEPS"],
    "train model=ddpm samplers.fast.stride=2": ["samplers.fast.stride", "method", "steps"],
    "train model=ddpm samplers.fast.steps=5000": ["samplers.fast", "5000", "1000"],
    "train model=ddpm samplers=[unipc-5000] headline=unipc-5000": ["samplers.unipc-5000", "steps=5000", "T=1000"],
    "train model=ddpm samplers=[unipc-900] headline=unipc-900": ["samplers.unipc-900", "steps=900", "visited twice"],
    "train model=ddpm samplers.fast.method=unipc samplers.fast.eta=1": ["samplers.fast", "eta=1", "draws no noise"],
    "train model=ddpm headline=ddim-5O": [
        "headline=ddim-5O",
        "choose from ancestral-1000, ancestral-100, sde-dpm-solver-20",
    ],
    "train model=ddpm headline=ancestral-1000": ["headline=ancestral-1000", "evaluation.timed_only"],
    "train model=ddpm samplers=[ddim-50,ddim-10]": ["headline: missing", "ddim-50, ddim-10"],
    "train model=vae headline=default": ["headline=default", "one way to sample"],
    "train model=vae samplers.fast.steps=5": ["samplers.fast.steps", "unknown"],
    "train model=vae evaluation.timed_only=[ddim-5O]": ["evaluation.timed_only=ddim-5O", "ddim-STEPS"],
    "train model=vae evaluation.samples=3": ["evaluation.samples=3", "16"],
    "train model=vae evaluation.extractor=mnist-cn": ["extractor=mnist-cn", "did you mean mnist-cnn"],
    "train model=vae data=image_folder": ["data.root", "missing"],
    "train model=vae data=image_folder data.root=/nowhere": ["/nowhere"],
    "train model=vae data=mnist data.size=3": ["data.size", "unknown key"],
    "train model=vae train.batch=63 trainer.devices=2": ["train.batch=63", "2"],
    "train model=vae train=5": ["train=5", "train.KEY=VALUE"],
    "train model=vae train.images=-5": ["train.images=-5", "greater than 0"],
    "train model=vae trainer.precision=16": ["trainer.precision=16", "bf16-mixed"],
    "train model=vae trainer.accelerator=gpu": ["trainer.accelerator=gpu"],
    "train model=vae wandb.mode=on": ["wandb.mode", "offline"],
    "train model=vae model.name=gan": ["model.name", "model=NAME"],
    "train model=vae seed=-1": ["seed=-1"],
    "train vae": ["vae", "key=value"],
    "train model=vae model.latent_dim=[1,": ["model.latent_dim"],
    "evaluate nothing": ["run=nothing"],
    "table model=vae": ["model", "preset"],
    "table results=/nowhere": ["/nowhere", "bench train"],
    "list model": ["list=model", "did you mean models"],
}


@pytest.mark.parametrize("words", BAD)
def test_a_bad_configuration_ends_in_one_line_that_names_it(
    words: str, capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr("bench.runs.run.evaluation_context", lambda *_: pytest.fail("went on to evaluate or train"))
    if "accelerator=gpu" in words and __import__("torch").cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert main(words.split(" ")) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1, said
    assert said.startswith("bench: ")
    for part in BAD[words]:
        assert part in said


def test_the_identity_ignores_where_and_how_a_run_is_made() -> None:
    same = [
        "results=/else",
        "trainer.devices=2",
        "wandb.mode=offline",
        "evaluation.samples=500",
        "trainer.accelerator=cpu",
    ]
    assert run_id(load(["model=vae"])[0]) == run_id(load(["model=vae", *same])[0])
    changes = ["seed=1", "model.beta=2.0", "train.batch=64", "train.images=1000", "trainer.precision=32-true"]
    ids = {run_id(load(["model=vae", change])[0]) for change in changes} | {run_id(load(["model=vae"])[0])}
    assert len(ids) == len(changes) + 1


def test_samplers_are_not_part_of_the_identity_and_add_up() -> None:
    listed = load(["model=ddpm", "samplers=[ddim-50]"])[0]
    assert list(listed.samplers) == ["ddim-50"]
    words = ["model=ddpm", "samplers.ddim-20.method=ddim", "samplers.ddim-20.steps=20"]
    added = load(words)[0]
    assert added.samplers == load(["model=ddpm"])[0].samplers | {"ddim-20": {"method": "ddim", "steps": 20}}
    assert run_id(listed) == run_id(added)


def test_a_sampler_is_a_file_and_a_number_of_steps() -> None:
    (config,) = load(["model=ddpm", "samplers=[edm-heun-7,edm-heun]", "headline=edm-heun"])
    assert config.samplers == {
        "edm-heun-7": {"method": "heun", "grid": "karras", "steps": 7},
        "edm-heun": {"method": "heun", "grid": "karras"},
    }


def test_every_configuration_names_the_sampler_that_speaks_for_it() -> None:
    """And another one, or other samplers, make no other run."""
    for preset in names("preset"):
        for data in ("mnist", "grid_25"):
            for config in load([f"preset={preset}", f"data={data}"]):
                assert (config.headline in config.samplers) if config.samplers else config.headline is None
                assert config.headline not in config.evaluation.timed_only
    one, other = (load(["model=ddpm", f"headline={name}"])[0] for name in ("ancestral-100", "sde-dpm-solver-20"))
    assert one.headline != other.headline
    assert run_id(one) == run_id(other)
    assert load(["model=ddpm", "samplers=[ddim-10]"])[0].headline is None, "the only one"


def test_later_layers_win() -> None:
    quick, smoke = load(["model=vae", "preset=quick"])[0], load(["model=vae", "preset=smoke"])[0]
    assert smoke.train.images < quick.train.images
    assert smoke.train.batch == quick.train.batch  # the preset does not speak of it: the model's own
    assert load(["model=vae", "preset=smoke", "train.images=77"])[0].train.images == 77


@pytest.mark.parametrize("preset", names("preset"))
def test_every_preset_resolves_for_every_model(preset: str) -> None:
    assert {config.model["name"] for config in load([f"preset={preset}"])} <= set(MODELS)
    for model in MODELS:
        load([f"preset={preset}", f"model={model}"])


def test_every_model_has_its_yaml_and_no_yaml_stands_alone() -> None:
    assert set(names("model")) == set(MODELS)


def test_an_override_cannot_be_silently_misplaced() -> None:
    with pytest.raises(ConfigError, match="latent_dim"):
        load(["model=vae", "latent_dim=3"])


def test_what_a_model_is_and_can_do_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "models"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "[autoregressive-vae, reconstruct, encode, bits_per_dim]" in said
    assert "[autoencoder, reconstruct, encode, denoise]" in said
    assert "[gan]" in said


def test_a_sampler_that_is_named_is_judged_though_the_preset_only_times_it() -> None:
    words = ["preset=quick", "model=ddpm", "data=mnist"]
    (usual,) = load(words)
    (named,) = load([*words, "samplers.ancestral-1000.steps=1000"])
    assert usual.evaluation.timed_only == ["ancestral-1000"]
    assert named.evaluation.timed_only == []
    assert named.samplers == usual.samplers
    assert run_id(named) == run_id(usual)
    (said,) = load([*words, "samplers.ancestral-1000.steps=1000", "evaluation.timed_only=[ancestral-1000]"])
    assert said == usual
