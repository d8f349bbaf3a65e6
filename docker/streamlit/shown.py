"""Text of others as Streamlit's Markdown: what a document or a model says must fetch nothing and hide nothing."""
import json
import re

import streamlit as st

import lastro
import texts


def literal(text):
    """Exactly these characters, whatever Markdown would make of them."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text).replace("\n", "  \n")


def prose(text):
    """A model's Markdown without pictures, which the browser would fetch from wherever a document says, and with money left as it is:
    between two dollar signs Streamlit sees a formula."""
    return re.sub(r"(?<!\\)(!(?=\[)|\$)", r"\\\1", text)


def style(choose, formats):
    """Sources that scroll by themselves (a page that follows its end would jump to the last), the uploader's own English words in the page's language, and no second button to stop with: Streamlit's
    ends the page's run, not the answer."""
    words, sizes = ".st-key-upload section button p", '.st-key-upload [data-testid="stFileUploaderDropzoneInstructions"] span'
    st.html(f"""<style>
        [class*="st-key-sources-"] [data-testid="stExpanderDetails"] {{ max-height: 55vh; overflow-y: auto; }}
        [class*="st-key-sources-"] [data-testid="stText"] {{ font-size: 0.875rem; }}
        [data-testid="stStatusWidget"] {{ display: none; }}
        {words}, {sizes} {{ font-size: 0; }}
        {sizes} {{ white-space: normal; }}
        {words}::after {{ content: {json.dumps(choose, ensure_ascii=False)}; font-size: 0.875rem; }}
        {sizes}::after {{ content: {json.dumps(formats, ensure_ascii=False)}; font-size: 0.875rem; }}
    </style>""")


def place_of(passage, language):
    page, last = passage.get("page"), passage.get("last_page")
    if not page:
        return ""
    if last and last != page:
        return texts.text(language, "on_pages", page=page, last=last)
    return texts.text(language, "on_page", page=page)


def sources(number, passages, language):
    """The numbered passages behind an answer, and the ways to their originals."""
    if not passages:
        return
    with st.expander(texts.count(language, "source", len(passages)), key=f"sources-{number}", icon=":material/menu_book:"):
        for passage in passages:
            head = [f"**\\[{passage['n']}\\] {literal(passage['document'])}**", place_of(passage, language)]
            link = "document_id" in passage and lastro.link(passage["document_id"], passage.get("page"))
            if link:
                head.append(f"[{texts.text(language, 'open')}]({link})")
            st.markdown(" · ".join(part for part in head if part))
            if "text" in passage:
                if passage["headings"]:
                    st.caption(literal(" › ".join(passage["headings"])))
                with st.container(border=True):
                    st.text(passage["text"])
            else:
                st.caption(texts.text(language, "passage_gone"))
        if lastro.link("any", None) is None:
            downloads(number, passages, language)


def downloads(number, passages, language):
    """Where a browser cannot open the originals itself, the page fetches them."""
    documents = {passage["document_id"]: passage["document"] for passage in passages if "document_id" in passage}
    for document, name in documents.items():
        st.download_button(texts.text(language, "download", name=literal(name)), lambda document=document: lastro.original(document),
                           file_name=name, key=f"original-{number}-{document}", icon=":material/download:", on_click="ignore")
