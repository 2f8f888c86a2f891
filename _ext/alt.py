"""Numbers in a figure's alt text: ``{key}`` stands for a value that the chapter glued.

So the words for those who don't see the figure are as true as the figure. A key that wasn't glued
is an error, and so is an image without alt text.
"""

import ast
import re
from functools import partial
from typing import Any

from docutils import nodes
from myst_nb.ext.glue.crossref import read_glue_cache
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
KEY = re.compile(r"\{([A-Za-z_]\w*)\}")


class FillAlt(SphinxPostTransform):
    default_priority = 20  # after MyST-NB chose which output to show, and put glued text in

    def run(self, **kwargs: Any) -> None:
        # like glue's own, the cache is emptied between pages only by a new process
        read_glue_cache.cache_clear()
        env: Any = self.env
        glued = read_glue_cache(env.mystnb_config.output_folder, env.docname)
        for image in self.document.findall(nodes.image):
            alt = image.get("alt", "")
            if not alt.strip():
                self.complain(image, f"the image {image.get('uri')} has no alt text")
            image["alt"] = KEY.sub(partial(self.value, glued, image), alt)

    def value(self, glued: dict[str, Any], image: nodes.image, found: re.Match[str]) -> str:
        key = found[1]
        if key not in glued:
            self.complain(image, f"alt text: nothing was glued as {key!r}")
            return ""
        text = glued[key]["data"]["text/plain"]
        return ast.literal_eval(text) if text[:1] in "'\"" else text

    def complain(self, image: nodes.image, message: str) -> None:
        LOGGER.error(message, location=(self.env.docname, image.line), type="alt")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_post_transform(FillAlt)
    return {"version": "1", "parallel_read_safe": True}
