"""A page to talk to documents through lastro: collections, uploads, answers that stream, and their sources.

`streamlit run docker/streamlit/app.py`. Variables: LASTRO_URL (default http://127.0.0.1:8080), LASTRO_KEY (where lastro asks for
one; scopes chat and ingest), LASTRO_MODEL (default: the LLM server's first), LASTRO_PUBLIC_URL (how a browser reaches lastro, for
links to documents).

Streamlit runs this file anew at every click. So whatever takes time lives in threads of its own (uploads.py, answers.py), what
the server knows is asked of the server each time, and every widget is drawn in every run, or what was typed into it would be lost.
"""
import time

import streamlit as st

import lastro
import mended
import texts
from answers import Answer
from documents import documents_panel, take_files
from shown import literal, prose, sources, style

# Seconds between two looks at an answer that streams.
FRAME = 0.08
# Seconds after which the page looks again whether what was missing is there.
LOOK_AGAIN = 5
state = st.session_state


def start_session():
    """What a new session begins with; a page that is loaded anew finds its language and collection in its address."""
    asked = st.query_params.get("language")
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    state.setdefault("language", asked if asked in texts.LANGUAGES else
                     texts.preferred(st.context.locale, headers.get("accept-language")))
    state.setdefault("collection", st.query_params.get("collection"))
    state.setdefault("conversations", {})
    state.setdefault("collections", [])
    state.setdefault("uploads", [])
    state.setdefault("taken", set())
    state.setdefault("uploaders", 0)
    state.setdefault("model", lastro.MODEL)
    state.setdefault("refused", None)
    state.setdefault("missing", None)
    state.setdefault("over", None)
    state.setdefault("note", None)


def t(key, **values):
    return texts.text(state.language, key, **values)


# ---- what the server has ---------------------------------------------------------------------------------------

def ask_server():
    """What /ready says, the collections, and the problem if there is one. The collections that were known stay where they cannot be
    asked for."""
    ready, collections, problem = {}, state.collections, None
    try:
        ready = lastro.ready()
        collections = lastro.collections()
        if ready["upstream"]["status"] == "failed":
            problem = lastro.Refused("upstream", ready["upstream"].get("message", ""))
    except lastro.Refused as refused:
        problem = refused
    return ready, collections, problem


def remember(ready, collections):
    models = ready.get("upstream", {}).get("models")
    if models and not lastro.MODEL:
        state.model = models[0]
    state.collections = collections
    ids = [collection["id"] for collection in collections]
    if ids and state.collection not in ids:
        state.collection = ids[0]


def chosen():
    """The chosen collection, or None."""
    return next((collection for collection in state.collections if collection["id"] == state.collection), None)


def create_collection():
    name = state.new_collection.strip()
    if not name:
        return
    try:
        there = next((c for c in lastro.collections() if c["name"].casefold() == name.casefold()), None)
        state.collection = (there or lastro.create(name))["id"]
    except lastro.Refused as problem:
        state.refused = problem  # the name stays where it was typed
        return
    state.refused, state.new_collection = None, ""
    state.note = t("exists" if there else "created", name=literal(name))


# ---- the sidebar -----------------------------------------------------------------------------------------------

def sidebar(ready, known):
    """Draws it, with advice to make a collection where it is `known` that there is none; returns the place of the list of documents, which is drawn anew while an answer streams."""
    names = {collection["id"]: collection["name"] for collection in state.collections}
    with st.sidebar:
        st.radio(t("language"), list(texts.LANGUAGES), format_func=texts.LANGUAGES.get, key="language", horizontal=True,
                 label_visibility="collapsed")
        st.selectbox(t("collection"), list(names), format_func=lambda id: names.get(id, id), key="collection",
                     placeholder=t("no_collection") if known else "", disabled=not names)
        with st.form("creation", border=False):
            with st.container(horizontal=True, vertical_alignment="bottom"):
                st.text_input(t("new_collection"), key="new_collection", placeholder=t("new_collection_name"), max_chars=200)
                st.form_submit_button(t("create_collection"), key="create_collection", on_click=create_collection)
        with st.container(key="upload"):
            key = f"files-{state.uploaders}"
            st.file_uploader(t("upload"), accept_multiple_files=True, key=key, on_change=take_files, args=(key,),
                             disabled=chosen() is None)
            if known and chosen() is None:
                st.caption(t("upload_first"))
        place = documents_panel(state.collection if chosen() else None)
        st.caption(" · ".join(status_line(ready)))
    return place


def status_line(ready):
    yield t("model", model=literal(state.model)) if state.model else t("no_model")
    embedding = ready.get("embedding", {}).get("status")
    if embedding in ("ready", "loading", "none", "failed"):
        yield t(f"search_{embedding}")


# ---- the conversation ------------------------------------------------------------------------------------------

def conversation():
    return state.conversations.setdefault(state.collection, [])


def begin(question):
    answers = conversation()
    for answer in answers:
        answer.stop()
    answers.append(Answer(state.model, state.collection, question, answers))


def ask():
    """Called before the script runs: within it, another click could cut the run short before it had the question."""
    question = (state.question or "").strip()
    if question:
        state.refused = None
        begin(question)


def ask_again():
    if conversation() and conversation()[-1].state == "failed":
        begin(conversation().pop().question)


def forget_conversation():
    for answer in conversation():
        answer.stop()
    conversation().clear()


def notes(answer):
    """What is to be said under an answer."""
    if answer.state == "failed":
        kind = t(answer.problem.kind)
        yield t("failed_midway" if answer.text else "failed", reason=kind)
    elif answer.state == "stopped":
        yield t("stopped")
    elif not answer.text.strip():
        yield t("silent")
    if answer.status is None and answer.state == "done":
        yield t("status_none")
    elif answer.status in ("lexical", "dense", "empty", "no_room", "off", "error"):
        yield t(f"status_{answer.status}")
    if answer.finish == "length":
        yield t("cut")


def draw_answer(number, answer, last):
    if answer.text:
        st.markdown(prose(answer.text))
    for note in notes(answer):
        st.caption(note)
    sources(number, answer.passages, state.language)
    if last and answer.state == "failed":
        st.button(t("retry"), key="retry", icon=":material/refresh:", on_click=ask_again)


def follow(answer, place_of_documents):
    """Shows an answer while it comes. A click on anything ends this run, not the answer; Stop ends the answer."""
    place = st.empty()
    st.button(t("stop"), key="stop", icon=":material/stop_circle:", on_click=answer.stop)
    shown = None
    looked = time.monotonic()
    while answer.running:
        answer.look()
        if shown != answer.text:
            shown = answer.text
            place.markdown(prose(shown) + " ▌" if shown else f":gray[{t('searching')}]")
        if time.monotonic() - looked > 1:
            looked = time.monotonic()
            place_of_documents()
        time.sleep(FRAME)
    st.rerun()


def draw_conversation(place_of_documents, known):
    answers = conversation()
    if not answers and chosen():
        st.markdown(t("start", name=literal(chosen()["name"])))
    elif not answers and known:
        st.markdown(t("start_nowhere"))
    for number, answer in enumerate(answers, 1):
        answer.look()
        with st.chat_message("user"):
            st.markdown(literal(answer.question))
        with st.chat_message("assistant"):
            if answer.running:
                follow(answer, place_of_documents)
            else:
                draw_answer(number, answer, number == len(answers))


def problem_of_last_answer(problem):
    """Why the last question has no answer, until what was missing is there again."""
    last = conversation()[-1].problem if conversation() else None
    if state.missing and not problem:
        state.over = last
    state.missing = problem
    return last if last is not state.over else None


# ---- the page --------------------------------------------------------------------------------------------------

def draw_problem(problem):
    with st.container(key="problem"):
        st.error(t(f"{problem.kind}_do", url=lastro.URL,
                   message=prose(texts.reason(state.language, problem.code, problem.message))), icon=":material/error:")


@st.fragment(run_every=LOOK_AGAIN)
def look_again(kind):
    """The page goes on by itself when what was missing is there."""
    problem = ask_server()[-1]
    if (problem.kind if problem else None) != kind:
        st.rerun()


def main():
    mended.keep_upload_addresses()
    st.set_page_config(page_title="lastro", layout="centered")
    start_session()
    ready, collections, problem = ask_server()
    remember(ready, collections)
    style(t("choose"), t("formats"))
    # Whether the list of collections is the server's: an empty one may only mean that it could not be asked.
    known = problem is None or problem.kind == "upstream"
    place_of_documents = sidebar(ready, known)
    st.query_params.from_dict({"language": state.language, **({"collection": state.collection} if state.collection else {})})
    if state.note:
        st.toast(state.note)
        state.note = None

    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(t("title"), anchor=False)
        st.button(t("new_conversation"), key="new_conversation", icon=":material/edit_square:", on_click=forget_conversation)
    talk = st.container(key="conversation")
    below = st.container()
    st.chat_input(t("question", name=chosen()["name"]) if chosen() else t("question_nowhere") if known else "", key="question", on_submit=ask,
                  disabled=chosen() is None)
    unanswered = problem_of_last_answer(problem)
    missing = problem or state.refused or unanswered
    with below:
        if missing:
            draw_problem(missing)
        if problem:
            look_again(problem.kind)
    with talk:
        draw_conversation(place_of_documents, known)


main()
