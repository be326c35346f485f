"""What pyproject.toml cannot say: a wheel ships the repository's profiles/ as roi/_profiles.

A package-dir entry could map the folder too, but an editable install would then need an import hook (see pyproject.toml).
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """The usual build, and the profiles; an editable install reads them where they lie."""

    def profiles(self) -> dict[str, str]:
        """Where each profile goes in the build, and the file that it is."""
        target = Path(self.build_lib, "roi", "_profiles")
        return {str(target / file.relative_to("profiles")): str(file) for file in sorted(Path("profiles").rglob("*.json"))}

    def run(self) -> None:
        """Copy the package, then the profiles."""
        super().run()
        if not self.editable_mode:
            for target, file in self.profiles().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(file, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution needs to build the same wheel."""
        return [*super().get_source_files(), *self.profiles().values()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What the build has made."""
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else self.profiles())]


setup(cmdclass={"build_py": BuildPy})
