"""Who answers what is typed: the proxies a name, See-through-Text a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from napari_guideme.errors import InputError
from napari_guideme.session_file import NameSearch, NetworkReference, Search
from napari_guideme.widgets.named import Finder, Looked
from napari_guideme.widgets.sentences import Follower, Heard
from napari_guideme.widgets.slices import Slice
from napari_guideme.widgets.sought import AUTOMATIC, BY_NAME, BY_SENTENCE, Query, Sought

Answer = Looked | Heard


class Answering:
    """Asks the one of both who is meant; to be asked in the background.

    Parameters
    ----------
    progress
        Called with steps done and steps in all, in the background.
    """

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.finder, self._follower = Finder(progress), Follower(progress)

    def look(self, query: Query, part: Slice | None, device: str) -> Answer:
        """Look at what is typed; without a slice nothing is, and labels are loaded.

        Raises
        ------
        InputError
            If classifier, network or image cannot be used.
        """
        if part is None:
            return self.finder.look(query, part, device)
        if self._who(query, device) == BY_SENTENCE:
            return self._follower.hear(query, part, device)
        from napari_guideme.referring.naming import without_articles

        name = without_articles(query.text) or query.text
        return self.finder.look(replace(query, text=name), part, device)

    def recalled(self, search: Search, network: NetworkReference, device: str) -> Sought:
        """Look for something as a session file tells it.

        Parameters
        ----------
        search
            What was looked for, and how.
        network
            Which one was corrected.
        device
            Where it is looked for.

        Raises
        ------
        InputError
            If what answered is not there any more, or is another one.
        """
        search = replace(search, limits=None)
        if isinstance(search, NameSearch):
            source = str(search.classifier.source)
            query = Query(search.name, BY_NAME, classifier=source, method=search.method)
            sought: Sought = self.finder.recalled(search, self._plain(query, device), device)
        else:
            query = Query(search.sentence, BY_SENTENCE, referring=str(network.source))
            sought = self._follower.recalled(search, self._plain(query, device), device)
        return sought

    def _plain(self, query: Query, device: str) -> Query:
        """Tell nobody who answers if they do anyway."""
        plain = replace(query, answering=AUTOMATIC)
        try:
            return plain if self._who(plain, device) == query.answering else query
        except InputError:
            return query

    def _who(self, query: Query, device: str) -> str:
        if query.answering != AUTOMATIC:
            return query.answering
        from napari_guideme.referring.following import which_answers

        return which_answers(
            query.text,
            lambda phrase: self.finder.is_name(phrase, query.classifier, device),
            lambda phrase: self._follower.knows_any(phrase, query.referring, device),
        )
