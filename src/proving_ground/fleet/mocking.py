"""The mocks in the fleet's pods: made for each run, told by workload, and counted when they are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.fleet.ledger import Ledger
from proving_ground.fleet.remembered import Remembered, Setting
from proving_ground.mocks import MockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from proving_ground.fleet.behaviour import MockPlan
    from proving_ground.fleet.replica import Replica
    from proving_ground.fleet.views import PodView
    from proving_ground.mocks import Mock


class MockDesk:
    """Makes the mocks of all pods and tells them what to show.

    Args:
        makers: What makes each mock from the environment of its container.
    """

    def __init__(self, makers: Mapping[str, Callable[[Mapping[str, str]], Mock]]) -> None:
        self._makers = makers
        self._remembered = Remembered()
        self.ledger = Ledger()

    def equip(self, pod: PodView, plans: Iterable[MockPlan], replica: Replica) -> list[tuple[str, str]]:
        """Give a new replica its mocks, told what those of its workload were told.

        Returns:
            Events about what is wrong, reason and message: ``InvalidMock`` for a container without a mock, since it
            names none or its environment is refused; ``InvalidSetting`` for what its mock was told in vain.
        """
        problems: list[tuple[str, str]] = []
        settings = tuple(self._remembered.of((pod.namespace, pod.workload)))
        for plan in plans:
            maker = self._makers.get(plan.mock)
            if maker is None:
                known = ", ".join(sorted(self._makers))
                problems.append(
                    ("InvalidMock", f"container {plan.container}: expected {known} as argument, found {plan.mock!r}")
                )
                continue
            try:
                mock = maker(plan.env)
            except MockError as error:
                problems.append(("InvalidMock", f"container {plan.container}: {error}"))
                continue
            replica.mocks[plan.container] = mock
            replica.histories.append(mock.history)
            for setting in settings:
                if setting.meant_for(plan.container):
                    try:
                        mock.change(setting.path, setting.query)
                    except MockError as error:
                        problems.append(("InvalidSetting", f"container {plan.container}: {setting.path}: {error}"))
        return problems

    def change(self, replicas: Iterable[Replica], setting: Setting) -> dict[str, str]:
        """Tell the mocks of replicas something: all of them, or none if one refuses.

        Returns:
            What each replica's mocks answer, by pod; replicas without such a mock are left out.

        Raises:
            MockError: A mock refuses it.
        """
        prepared = [
            (replica.name, mock.prepare(setting.path, setting.query))
            for replica in replicas
            for container, mock in replica.mocks.items()
            if setting.meant_for(container)
        ]
        told: dict[str, str] = {}
        for name, commit in prepared:
            text = commit()
            told[name] = f"{told[name]}\n{text}" if name in told else text
        return told

    def remember(self, namespace: str, workload: str, setting: Setting) -> None:
        """Have pods of a workload that come later start with a setting."""
        self._remembered.note((namespace, workload), setting)

    def forget(self, namespace: str) -> None:
        """Forget what was told and counted in a namespace."""
        self._remembered.forget(namespace)
        self.ledger.forget(namespace)
