"""Everything that the page says, in both languages: (Portuguese, English)."""
LANGUAGES = {"pt": "Português", "en": "English"}

TEXTS = {
    # the page
    "title": ("Converse com seus documentos", "Talk to your documents"),
    "language": ("Idioma", "Language"),
    "no_model": ("Modelo ainda desconhecido", "Model not yet known"),
    "model": ("Modelo: {model}", "Model: {model}"),
    "search_ready": ("Busca por palavras e por significado", "Search by words and by meaning"),
    "search_loading": ("Busca por palavras; o modelo de embeddings ainda está carregando",
                       "Search by words; the embedding model is still loading"),
    "search_none": ("Busca só por palavras", "Search by words alone"),
    "search_failed": ("Busca só por palavras: o modelo de embeddings não pôde ser carregado",
                      "Search by words alone: the embedding model could not be loaded"),
    # collections
    "collection": ("Coleção", "Collection"),
    "no_collection": ("Nenhuma coleção ainda", "No collection yet"),
    "new_collection": ("Nova coleção", "New collection"),
    "new_collection_name": ("p. ex. manuais", "e.g. manuals"),
    "create_collection": ("Criar", "Create"),
    "created": ("Coleção {name} criada.", "Collection {name} created."),
    "exists": ("A coleção {name} já existia e foi escolhida.", "The collection {name} was already there and is now picked."),
    # documents
    "upload": ("Adicionar documentos", "Add documents"),
    "choose": ("Escolher arquivos", "Choose files"),
    "formats": ("PDF, Markdown, HTML ou texto, até 256 MiB cada", "PDF, Markdown, HTML or text, up to 256 MiB each"),
    "upload_first": ("Crie uma coleção para adicionar documentos.", "Create a collection to add documents."),
    "no_documents": ("Nenhum documento nesta coleção.", "No documents in this collection."),
    "more_documents": ("e mais {n}", "and {n} more"),
    "waiting": ("na fila de envio", "waiting to be sent"),
    "sending": ("enviando, {percent} %", "sending, {percent} %"),
    "storing": ("enviado; o servidor está gravando", "sent; the server is storing it"),
    "reading": ("recebido; o texto está sendo lido", "received; its text is being read"),
    "embedding": ("{parts}; já achado por palavras, o significado está sendo calculado",
                  "{parts}; found by words already, meaning is being computed"),
    "known": ("já estava na coleção; continua um só documento", "was already in the collection; it stays one document"),
    "known_as": ("já estava na coleção como {name}; continua um só documento",
                 "was already in the collection as {name}; it stays one document"),
    "cancelled": ("cancelado", "cancelled"),
    "not_sent": ("não foi enviado: {reason}", "was not sent: {reason}"),
    "send_again": ("Enviar de novo", "Send again"),
    "page": ("{n} página", "{n} page"),
    "pages": ("{n} páginas", "{n} pages"),
    "chunk": ("{n} trecho", "{n} passage"),
    "chunks": ("{n} trechos", "{n} passages"),
    # conversation
    "question": ("Pergunte sobre {name}", "Ask about {name}"),
    "question_nowhere": ("Crie uma coleção para perguntar", "Create a collection to ask"),
    "start": ("Pergunte algo sobre os documentos de **{name}**. A resposta vem com as fontes.",
              "Ask something about the documents of **{name}**. The answer comes with its sources."),
    "start_nowhere": ("Crie uma coleção e adicione documentos. Depois, pergunte.",
                      "Create a collection and add documents. Then ask."),
    "new_conversation": ("Nova conversa", "New conversation"),
    "stop": ("Parar", "Stop"),
    "retry": ("Perguntar de novo", "Ask again"),
    "searching": ("Procurando nos documentos…", "Searching the documents…"),
    "stopped": ("Interrompida", "Stopped"),
    "cut": ("A resposta chegou ao limite de tamanho.", "The answer reached its length limit."),
    "silent": ("O modelo não disse nada.", "The model said nothing."),
    "failed": ("Sem resposta: {reason}", "No answer: {reason}"),
    "failed_midway": ("A resposta foi cortada: {reason}", "The answer was cut off: {reason}"),
    "source": ("{n} fonte", "{n} source"),
    "sources": ("{n} fontes", "{n} sources"),
    "on_page": ("página {page}", "page {page}"),
    "on_pages": ("páginas {page}–{last}", "pages {page}–{last}"),
    "open": ("abrir o original", "open the original"),
    "download": ("Baixar {name}", "Download {name}"),
    "passage_gone": ("O trecho já não está guardado no servidor.", "The passage is no longer kept by the server."),
    # X-RAG-Status
    "status_lexical": ("Encontrado só por palavras.", "Found by words alone."),
    "status_dense": ("Encontrado só por significado.", "Found by meaning alone."),
    "status_empty": ("Nada relevante foi encontrado nos documentos; a resposta não se apoia neles.",
                     "Nothing relevant was found in the documents; the answer does not rest on them."),
    "status_no_room": ("A janela do modelo está cheia: nenhum trecho coube. Comece uma nova conversa.",
                       "The model's window is full: no passage fitted. Start a new conversation."),
    "status_off": ("Respondida sem os documentos.", "Answered without the documents."),
    "status_error": ("A busca nos documentos falhou; a resposta não se apoia neles.",
                     "The search in the documents failed; the answer does not rest on them."),
    "status_none": ("O servidor não disse se procurou nos documentos.", "The server did not say whether it searched the documents."),
    # what is missing, and what to do
    "unreachable": ("o lastro não responde", "lastro does not answer"),
    "unreachable_do": ("**O lastro não responde em {url}.** Inicie-o (`make demo` ou `lastro serve`), ou inicie esta página com "
                       "`LASTRO_URL` no endereço certo.",
                       "**lastro does not answer at {url}.** Start it (`make demo` or `lastro serve`), or start this page with "
                       "`LASTRO_URL` set to its address."),
    "no_key": ("falta a chave", "the key is missing"),
    "no_key_do": ("**Falta a chave.** O lastro em {url} pede uma: crie-a com `lastro keys create page --scopes chat,ingest` e inicie "
                  "esta página com ela em `LASTRO_KEY`.",
                  "**The key is missing.** lastro at {url} asks for one: make it with `lastro keys create page --scopes chat,ingest` and "
                  "start this page with it in `LASTRO_KEY`."),
    "wrong_key": ("a chave não vale", "the key is not in force"),
    "wrong_key_do": ("**A chave em `LASTRO_KEY` não vale.** Está errada, foi revogada ou venceu: crie outra com "
                     "`lastro keys create page --scopes chat,ingest` e reinicie esta página com ela.",
                     "**The key in `LASTRO_KEY` is not in force.** It is wrong, revoked or expired: make another with "
                     "`lastro keys create page --scopes chat,ingest` and restart this page with it."),
    "no_scope": ("a chave não permite isso", "the key does not allow this"),
    "no_scope_do": ("**A chave em `LASTRO_KEY` não permite isso.** Crie outra com `lastro keys create page --scopes chat,ingest` e "
                    "reinicie esta página com ela. O lastro disse: {message}",
                    "**The key in `LASTRO_KEY` does not allow this.** Make another with `lastro keys create page --scopes chat,ingest` "
                    "and restart this page with it. lastro said: {message}"),
    "upstream": ("o servidor do modelo não responde", "the language model's server does not answer"),
    "upstream_do": ("**O servidor do modelo de linguagem não responde.** Inicie-o, ou confira `--upstream` do lastro. Documentos podem "
                    "ser adicionados enquanto isso. O lastro disse: {message}",
                    "**The language model's server does not answer.** Start it, or check lastro's `--upstream`. Documents can be added "
                    "meanwhile. lastro said: {message}"),
    "refused": ("o lastro recusou", "lastro refused"),
    "refused_do": ("**O lastro recusou.** Ele disse: {message}", "**lastro refused.** It said: {message}"),
    "broken_off": ("a conexão caiu", "the connection broke"),
    "broken_off_do": ("**A conexão caiu no meio da resposta.** Pergunte de novo. ({message})",
                      "**The connection broke in the middle of the answer.** Ask again. ({message})"),
}

# `last_error.code` of a document, and `code` of an error, for those who do not read lastro's English.
REASONS = {
    "unsupported_file": "este formato não é lido. Exporte como PDF e envie o resultado.",
    "encrypted_file": "o PDF está protegido por senha. Salve uma cópia sem senha e envie a cópia.",
    "damaged_file": "o arquivo está danificado. Abra e salve de novo, e envie o resultado.",
    "empty_file": "o arquivo está vazio. Confira se foi salvo por inteiro.",
    "no_text": "não há texto no arquivo. Se for digitalizado, passe-o por OCR (por exemplo `ocrmypdf`) e envie o resultado.",
    "garbled_text": "o texto do arquivo não pode ser decifrado. Exporte de novo, ou passe por OCR.",
    "too_large": "o arquivo é grande demais. Divida-o em partes.",
    "timeout": "a leitura demorou demais. Divida o arquivo em partes.",
    "out_of_memory": "a leitura precisou de memória demais. Divida o arquivo em partes.",
    "parser_crashed": "a leitura deste arquivo quebrou. Exporte de novo, por exemplo como PDF.",
    "embedding_failed": "o modelo de embeddings não processou o documento; o log do servidor diz por quê.",
    "quota_exceeded": "o limite da coleção ou da chave foi atingido. Apague documentos, ou peça um limite maior.",
    "synced_collection": "esta coleção espelha uma pasta do servidor. Mude os arquivos na pasta, ou use outra coleção.",
    "disk_full": "o disco do servidor está cheio. Nada foi gravado; libere espaço e tente de novo.",
    "too_many_requests": "o servidor está ocupado. Tente de novo daqui a pouco.",
    "rate_limit_exceeded": "o limite de pedidos da chave foi atingido. Tente de novo daqui a pouco.",
    "collection_not_found": "a coleção não existe mais, ou esta chave não a vê.",
    "vector_store_expired": "a coleção venceu.",
    "rag_unavailable": "a coleção não pôde ser pesquisada agora. Tente de novo.",
}

for key, both in TEXTS.items():
    assert len(both) == len(LANGUAGES) and all(both), f"{key} is not said in every language"


def text(language, key, **values):
    return TEXTS[key][list(LANGUAGES).index(language)].format(**values)


def count(language, key, n):
    """`key` for one, `keys` for more."""
    return text(language, key if n == 1 else key + "s", n=f"{n:,}".replace(",", "." if language == "pt" else ","))


def reason(language, code, message):
    """Why something failed: lastro's own words, or in Portuguese those of the table where it has some."""
    return REASONS.get(code, message) if language == "pt" else message


def preferred(locale, accepted):
    """The language of a browser: of its `locale` (pt-BR), else the first of `Accept-Language` that is ours; else English."""
    wishes = [locale or ""] + [part.split(";")[0] for part in (accepted or "").split(",")]
    return next((wish.strip().lower()[:2] for wish in wishes if wish.strip().lower()[:2] in LANGUAGES), "en")
