"""A model out of single files, whichever networks are in which of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mezzotint.checkpoints.tokenizers import END, TextTokenizer, clip_tokenizer, t5_tokenizer
from mezzotint.checkpoints.vocabularies import find_vocabulary
from mezzotint.diffusion import Process
from mezzotint.errors import InputError
from mezzotint.families.base import Family, Model, text_name
from mezzotint.families.files.assemble import built
from mezzotint.families.files.found import Found, in_file
from mezzotint.families.files.predicts import predicts_v
from mezzotint.families.recognise import recognise
from mezzotint.models.clip import CLIPTextParams
from mezzotint.models.t5 import T5Params

OPEN_CLIP_PAD = "!"  # OpenCLIP's towers were trained with 0 as padding
ALONE = {  # what a file is that has no other network, and where it belongs
    "autoencoder": "an autoencoder (VAE)",
    "tiny_autoencoder": "a tiny autoencoder, which shows previews",
    "clip_text": "a text encoder (CLIP)",
    "t5": "a text encoder (T5)",
}


def load(files: Sequence[Path]) -> Model:
    """The model whose networks are in ``files``, in the dtype that they are stored in, mapped.

    A network in a later file takes the place of one in an earlier: so a checkpoint gets another
    autoencoder. The vocabularies are looked for in the folders among ``files``, and then around the
    files; see ``find_vocabulary``.

    Raises:
        InputError: a file is not a checkpoint, a network is missing, or none is of our families.
    """
    found = gathered([file for file in files if not file.is_dir()])
    texts = [found[name] for name in found if name.startswith("text")]
    network = found["network"]
    family = recognise(network.params, [text.params for text in texts], str(files[0]))
    folders = [file for file in files if file.is_dir()]
    folders += [file.parent for file in files if not file.is_dir()]
    family = as_told(family, network)
    model = built(family, found, [tokenizer(text, folders) for text in texts])
    silent = family.release == "sd2" and family.prediction == "eps"
    if silent and family.beside is None and predicts_v(model.network):
        return replace(model, family=replace(family, prediction="v"))
    return model


def gathered(files: Sequence[Path]) -> dict[str, Found]:
    """The networks of a model: "network", "autoencoder", and "text", "text_2" … in their order.

    Raises:
        InputError: as ``load``.
    """
    found: dict[str, Found] = {}
    texts: dict[str, Found] = {}
    for file in files:
        for name, each in in_file(file).items():
            (texts if name.startswith("text") else found)[_key(name, each)] = each
    for name, kind in (("network", "U-Net or transformer"), ("autoencoder", "autoencoder (VAE)")):
        if name not in found:
            raise _lacking(kind, files[0], [*found.values(), *texts.values()])
    ordered = sorted(texts.values(), key=_rank)
    return found | {text_name(k): text for k, text in enumerate(ordered)}


def _key(name: str, found: Found) -> str:
    """Text encoders are told apart by what they are: each family has one of each sort."""
    if not name.startswith("text"):
        return name
    return "t5" if isinstance(found.params, T5Params) else f"clip {found.params.tower.width}"


def _rank(found: Found) -> tuple[bool, int]:
    """Where a text encoder stands among others: CLIPs before T5, the narrower first."""
    if isinstance(found.params, T5Params):
        return True, 0
    return False, found.params.tower.width


def _lacking(kind: str, file: Path, there: Sequence[Found]) -> InputError:
    kinds = [each.place.kind for each in there]
    if len(kinds) == 1 and kinds[0] in ALONE:
        return InputError(
            f"{file} is {ALONE[kinds[0]]}, wanted is a model: give a checkpoint, and this after it"
        )
    return InputError(
        f"{file} has no {kind}, only {', '.join(sorted(kinds))}: give the file of one after it"
    )


def as_told(family: Family, network: Found) -> Family:
    """The family with what marks in the file say of the network."""
    names = network.tensors
    if "v_pred" in names:
        family = replace(family, prediction="v")
    if "ztsnr" in names:
        family = replace(family, process=Process.zero_terminal())
    return family


def tokenizer(text: Found, folders: Sequence[Path]) -> TextTokenizer:
    """The tokenizer of a text encoder, its vocabulary looked for around the files."""
    path = vocabulary(text, folders)
    if isinstance(text.params, CLIPTextParams):
        return clip_tokenizer(
            path, END if text.params.tower.activation == "quick_gelu" else OPEN_CLIP_PAD
        )
    return t5_tokenizer(path)


def vocabulary(text: Found, folders: Sequence[Path]) -> Path:
    """Where the vocabulary of a text encoder is found."""
    return find_vocabulary("CLIP" if isinstance(text.params, CLIPTextParams) else "T5", folders)
