"""Answers that refuse, ask for the image, or say that nothing can be said: a number in them is no score."""

from __future__ import annotations

import re
from typing import Final

from anyanomaly.core.answer_words import LABELS, NEGATION, alternatives

_IMAGE: Final = r"(?:images?|pictures?|photos?|photographs?|videos?|attachments?|files?|frames?)"
_REFUSALS: Final = (
    # English
    r"\bas an? (?:ai|artificial|(?:large )?language model|assistant|text)|\b(?:i'?m|i am) (?:just |only )?an? (?:ai|"
    r"(?:large )?language|text)\b",
    r"\b(?:can(?:no|')?t|can not|unable to|not able to|couldn't|could not|impossible to|not possible to|"
    r"not in a position to)"
    r" (?:\w+ ){0,2}(?:help|assist|determine|assess|evaluate|judge|answer|provide|process|analy[sz]e|access|view|"
    r"open|load|give|rate|score|tell|say"
    r"|make(?! out)|interpret|verify|confirm|comply|fulfil\w*|complete|engage|comment|decide|know|be (?:determined|"
    r"assessed|"
    r"scored|rated|evaluated|verified|seen clearly enough))\b",
    rf"\b(?:don't|do not|didn't|did not|can(?:no|')?t|unable to|not able to|haven't|have not) (?:actually |"
    rf"currently |directly )?(?:see|have|receive|received|find|display)"
    rf" (?:access to )?(?:an?|any|the|your|this)?\s?(?:attached |actual )?{_IMAGE}\b(?! of)",
    r"\b(?:can(?:no|')?t|unable to|not able to) (?:identify|recogni[sz]e|name) (?:real |specific |the |"
    r"any )?(?:people|persons?|individuals?|faces?|someone|anyone)\b",
    rf"\bno {_IMAGE} (?:(?:was|were|is|are|has been|have been|here|yet|currently) )*(?:provided|attached|uploaded|"
    rf"visible|available|included|shared|given|found|displayed|loaded|received)",
    rf"\b(?:the|your|an?) {_IMAGE} (?:is|was|are|were|has|did|does|could|appears to be|seems to be)(?: been|"
    rf" be)?(?: not|n't)?(?: been| be)? ?(?:missing(?! (?!from|in|and|or|so|here)\w)|"
    rf"unavailable|failed|load\b|not (?:provided|attached|loaded|"
    rf"visible|available|included|accessible|uploaded))",
    r"\b(?:please|kindly|could you|can you|would you|you need to|you'll need to|if you)(?: \w+){0,2} (?:provide|"
    r"upload|attach|share|send|supply|resend|re-upload|reupload|clarify|describe)\b",
    rf"\bthere(?:'s| is) no {_IMAGE}\b(?! of)|\b{_IMAGE} (?:is |was |are )?(?:missing|unavailable)\b|"
    rf"\bwhere is the {_IMAGE}",
    rf"\b{_IMAGE} (?:didn't|did not|never) (?:come through|come up|arrive|upload|attach|get through|reach)\b|"
    rf"\b{_IMAGE} (?:failed|fails|refused|seems|appears) to (?:load|open|display|be (?:missing|broken|corrupt\w*|empty|"
    r"unavailable))(?! (?:of|a|any|people)\b)|"
    rf"\b{_IMAGE} (?:isn't|is not|wasn't|was not|hasn't been|has not been|didn't|did not|doesn't|does not|won't) "
    r"(?:loading|load|loaded|visible|available|provided|attached|uploaded|displayed|accessible)\b",
    rf"\b(?:need|require) (?:to see )?(?:the|an|your) (?:actual )?{_IMAGE}\b|"
    rf"(?:^|[.!,] )(?:upload|attach|provide|send|share) (?:an?|the|your) {_IMAGE}|"
    r"\b(?:haven't|have not|didn't|did not) (?:upload|provide|attach|share)|\bno idea\b",
    r"(?:没有|沒有)(?:图|圖)[像片](?=[。.,，!]|$)|画像(?:が|は)(?:あり|ござい)ません|画像がない|이미지가 없|"
    r"कोई छवि नहीं|"
    r"\bkein bild(?=[.,!]|$)|\bpas d'image(?=[.,!]|$)|\bno hay (?:ninguna )?imagen(?=[.,!]|$)|"
    r"\bnão há (?:nenhuma )?imagem(?=[.,!]|$)|\bnon c'è (?:alcuna |nessuna )?immagine(?=[.,!]|$)|"
    r"\bнет изображени[ея](?=[.,!]|$)|لا توجد صورة(?=[.,!]|$)|\bgörüntü yok(?=[.,!]|$)|"
    r"\bkhông có (?:hình ảnh|ảnh)(?: nào)?(?=[.,!]|$)",
    r"\bi (?:won't|will not|refuse|decline|must decline|must refuse|have to decline)|\bagainst my (?:polic|"
    r"guideline|programming)|"
    r"\bnot (?:comfortable|appropriate)\b|\bi (?:don't|do not) know\b",
    r"\bn/a\b|\bnot applicable|\bundetermined|\binconclusive|\bindeterminate|\b(?:not enough|insufficient|"
    r"not sufficient) (?:information|context|details?|data|evidence)",
    # Chinese
    r"(?:无法|無法|不能|没法|沒法|难以|難以|不可能|无从|無從)(?:直接|准确|準確|明确|明確|为您|為您|对|對)?(?:查看|"
    r"判断|判斷|判定|确定|確定|评估|評估|提供|处理|處理|回答|访问|訪問|打开|打開|给出|給出|分析|评分|評分|协助|協助|"
    r"帮助|幫助|得出|告诉|看[到见見]?(?:该|該|这|這|您|你)?[张張]?[图圖]|识别(?:图中)?(?:的)?人|"
    r"識別(?:圖中)?(?:的)?人|辨认人|辨認人)",
    r"[请請](?:您|你|先|重新|再)*(?:提供|上传|上傳|发送|發送|附上|附加|分享)|作[为為](?:一[个個名款]|人工)?(?:ai|"
    r"人工智[能慧]|智能助手|语言模型|語言模型|大模型|助手)|看不(?:到|见|見|清楚?)(?:这|這|该|該|您的|你的|任何)?[张張]?(?:图|圖|照片)[像片]?(?![中里裡内內上])"
    r"|我(?:是|只是)(?:一[个個])?(?:ai|人工智|语言模型)",
    r"(?:没有|沒有|未|未能)(?:看到|收到|提供|上传|上傳|附上)(?:任何|您的|你的)?(?:图|圖|"
    r"照片)[像片]?(?![中里裡内內上])|(?:对不起|對不起|抱歉)[^。.\n]{0,10}(?:无法|無法|不能)|(?:图|圖)[像片](?:未能|"
    r"未|没有|沒有|无法|無法|不能)(?:提供|上传|上傳|加载|显示(?=[.,!]|$))|不知道",
    # Japanese
    r"(?:画像|写真|映像|添付)(?:を|が|は|の)(?:直接)?(?:確認|表示|見|読み込|閲覧|提供|添付|認識|アップロード|"
    r"処理)[^。.\n]{0,8}(?:ません|でき[なず]|できま|られ[なま]|せん|ない)",
    r"(?:判断|判定|評価|回答|特定|識別|お答え|お手伝い|断定|決定)(?:は|が|を|する)?[^。.\n]{0,8}(?:できません|"
    r"できない|できかね|しかね|困難|不可能)|わかりません|分かりません|申し訳",
    r"(?:画像|写真)を[^。.\n]{0,12}(?:ください|下さい|お願い|いただけ)|(?:ai|人工知能|言語モデル)(?:として|なので|"
    r"ですので|である|アシスタント)",
    # Korean
    r"(?:이미지|사진|영상|그림)(?:를|을|가|이)? ?(?:직접 )?(?:볼|확인할|열|처리할|인식할|불러올|제공되|첨부되|"
    r"업로드되|보이)[^.\n]{0,6}(?:수 ?없|않|못|없)",
    r"(?:판단|평가|결정|답변|도와|도움|제공|식별|확정|판별)(?:하기|할|해|드릴|을 드릴|을 제공할)? ?(?:어렵|수(?:가|"
    r"는)? ?없|드릴 수 없)|알 수 ?없|모르겠|죄송",
    r"(?:이미지|사진)(?:를|을)? ?(?:다시 )?(?:제공|업로드|첨부|공유|보내)[^.\n]{0,10}(?:주|바랍|부탁)|(?:ai|"
    r"인공지능|언어 모델)(?:로서|이므로|이기|라서|입니다|이라)",
    # German
    r"\bals (?:ki|künstliche|sprachmodell|ai|assistent)|\bkann(?: \w+){0,4} (?:keine?n? (?:bilder?|fotos?|personen)|"
    r"das bild|die bilder|das foto)\b|\btut mir leid,? (?:aber )?(?:ich|das|dabei)",
    r"\bnicht (?:möglich|eindeutig )?(?:zu )?(?:beurteil\w+|bestimm\w+|festzustell\w+|feststell\w+|bewert\w+|sagen|"
    r"entscheid\w+|verarbeit\w+|anzeigen|beantwort\w+|helfen|weiterhelfen|identifizier\w+|einschätz\w+)",
    r"\bbitte(?: \w+){0,4} (?:laden|stellen|senden|fügen|schicken|teilen|hochladen|bereitstellen|zusenden)\b|"
    r"\bbitte (?:laden|stellen|senden|geben|fügen|schicken|teilen)\b"
    r"|\bkein bild (?:\w+ )?(?:erhalten|vorhanden|angehängt|bereitgestellt|hochgeladen|gesendet|sehen|übermittelt)|"
    r"\bich weiß (?:es )?nicht",
    # French
    r"\ben tant qu['e ]?\s?(?:ia|intelligence|assistant|modèle)|\bje ne (?:peux|puis|parviens|"
    r"suis)(?: \w+){0,4} (?:voir (?:l'|les |d'|cette |votre )image|voir des images|déterminer|évaluer|aider|"
    r"identifier d|répondre"
    r"|fournir|traiter|analyser|accéder|visualiser|dire|donner|juger|confirmer|afficher)|\bje ne (?:peux|"
    r"puis) pas (?:vous |t')?(?:aider|voir l|voir d'image|voir les image)|\bimpossible (?:de |d')(?:déterminer|"
    r"évaluer|dire|juger|répondre|savoir|voir l'image|accéder)"
    r"|\b(?:veuillez|merci de|pouvez-vous|pourriez-vous|s'il vous plaît,?)(?: me)? (?:fournir|fournissez|télé\w+|"
    r"partager|envoyer|envoyez|joindre|ajouter|importer)|\bje ne vois (?:pas|aucune) (?:d'|l')?image(?! d)|"
    r"\baucune image (?:n'(?:a|est)|fournie|jointe|reçue)|\bje ne sais pas",
    # Spanish, Portuguese, Italian
    r"\bcomo (?:una? )?(?:ia\b|inteligencia|inteligência|modelo de|asistente|assistente)|\b(?:no|não) (?:puedo|"
    r"se puede|es posible|logro|soy capaz de|posso|consigo|é possível|sou capaz de|"
    r"se pode)(?: \w+){0,2}? (?:ver (?:las? |as? |imágenes|imagens|ninguna imagen|nenhuma imagem)"
    r"|determinar\w*|evaluar|avaliar|ayudar\w*|ajudar|identificar (?:a )?(?:las |as )?pe[rs]s?o[na]+s|responder|"
    r"proporcionar|fornecer|procesar|processar|analizar|analisar|acceder|acessar|visualizar|decir|dizer|dar|juzgar|"
    r"julgar|confirmar|asistir)"
    r"|\b(?:podrías?|puedes?|poderia|pode|você poderia) (?:subir|enviar|proporcionar|adjuntar|compartir|cargar|"
    r"carregar|anexar|fornecer)"
    r"|\bpor favor,? (?:\w+ )?(?:proporcion\w+|sub[ae]\w*|adjunt\w+|env[ií]\w+|compart\w+|carg\w+|forneça|carregue|"
    r"anexe|faça|inclu\w+)|\b(?:no|não) (?:veo|recib\w+|vejo|receb\w+|se (?:ha |me )?proporcion\w+) (?:ninguna |"
    r"nenhuma |la |a |una |uma )?(?:imagen|imagem)(?! d)|\bno (?:lo )?sé\b|\bnão sei\b",
    r"\bcome (?:ia\b|intelligenza|modello|assistente)|\bnon (?:posso|riesco a|è possibile|sono in grado di|"
    r"si può)(?: \w+){0,2}? (?:vedere (?:l'|le |immagini|alcuna immagine)|determinar\w+|valutar\w+|aiutar\w+|"
    r"identificare (?:le )?persone|rispondere|fornir\w+"
    r"|elaborar\w+|analizzar\w+|acceder\w+|visualizzar\w+|dire|dare|giudicare|confermare|stabilir\w+|assister\w+)|"
    r"\b(?:si prega di|per favore,?|puoi|potresti) (?:forni\w+|caric\w+|alleg\w+|invi\w+|condivid\w+)|\bnon (?:vedo|"
    r"ho ricevuto) (?:alcuna |nessuna |l'|un')?immagine(?! d)|\bnon (?:lo )?so\b",
    # Russian
    r"\bкак (?:ии\b|искусственн\w+|языков\w+|ассистент|модель)|\b(?:не могу|невозможно|не удаётся|не удается|"
    r"не в состоянии|не способ\w+|нельзя|не получается|сложно сказать)(?: \w+){0,2}? (?:просм\w+|"
    r"(?:у)?видеть (?:\w+ )?изображ\w+|определ\w+|оцени\w+|помо\w+|идентифиц\w+"
    r"|опозна\w+|распознать лю\w+|ответ\w+|предостав\w+|обработ\w+|анализ\w+|проанализ\w+|получить доступ|открыть|"
    r"сказать|дать|судить|установить|подтвер\w+)|\b(?:предостав\w+|загруз\w+|пришл\w+|отправ\w+|"
    r"прикреп\w+),? (?:пожалуйста,? )?(?:\w+ )?(?:изображени|фото|картинк)\w+"
    r"|\bне (?:вижу|получил\w*) (?:само |само́ |никакого |никаких |эту |этого |вашего |вашу )?(?:изображени[еяй]|"
    r"картинк[уи]|картинок|фото(?:графи[юий])?|видео|кадра?)(?=[.,!]|$)|"
    r"\bизображение (?:не (?:предоставлено|загружено|прикреплено|получено|отображается)|отсутствует)|\bне знаю\b",
    # Arabic, Hindi
    r"(?:لا (?:أستطيع|يمكنني|يمكن|اقدر|أقدر)|لست قادر\w*|يتعذر|غير قادر)[^.\n]{0,12}(?:رؤية الصو|مشاهدة الصو|عرض|"
    r"تحديد|تقييم|مساعد|معالجة|تحليل|الوصول|الإجابة|تقديم|التعرف على الأشخاص|معرفة|الحكم|الجزم)|"
    r"لا أرى (?:أي )?(?:ال)?صورة(?! ل)|(?:يرجى|من فضلك|الرجاء|أرجو)[^.\n]{0,12}(?:تقديم|تحميل|إرفاق|إرسال|رفع|مشاركة|"
    r"توفير|"
    r"قدم|أرسل|أرفق)|كنموذج|كذكاء|بصفتي|لا أعرف|لا أعلم",
    r"(?:छवि|चित्र|तस्वीर|इमेज)(?: को)? (?:नहीं देख|देख नहीं|नहीं खोल|उपलब्ध नहीं|नहीं मिल|प्रदान कर|अपलोड कर|"
    r"साझा कर|भेज)|"
    r"(?:निर्धारित|बता|मदद|आकलन|मूल्यांकन|सहायता|निर्णय)(?: कर| दे)? ?(?:नहीं|पाना संभव नहीं)(?: कर| दे)? ?सक|"
    r"नहीं बता सक|"
    r"नहीं कह सक|(?:एआई|ai) (?:के रूप|मॉडल|हूँ|हूं)|पता नहीं|संभव नहीं है|"
    r"(?:लोगों|व्यक्ति) की पहचान",
    # Turkish, Vietnamese
    r"\b(?:görüntü|resm|resim|fotoğraf)\w* (?:göremiyorum|erişemiyorum|görüntüleyemiyorum|işleyemiyorum|açamıyorum|"
    r"sağlanma\w*|yüklenme\w*)|\b(?:belirleyem|değerlendirem|söyleyem|yardımcı olam|karar verem|yargılayam)\w+|"
    r"\b(?:kişi|insan)\w* tanımlayam\w+|\b(?:yükle|gönder|sağla|paylaş)\w* (?:mi|lütfen)|"
    r"\blütfen[^.\n]{0,30}(?:sağla|yükle|gönder|ekle|paylaş)\w*|\byapay zek[aâ] (?:olarak|modeli|dil)|\bbilmiyorum",
    r"\bkhông thể (?:\w+ ){0,2}?(?:xem|xác định|đánh giá|giúp|hỗ trợ|trả lời|cung cấp|xử lý|phân tích|truy cập|"
    r"nhận dạng người|kết luận|nhìn thấy hình|nhìn thấy ảnh)|\bvui lòng (?:\w+ )?(?:cung cấp|tải|gửi|đính kèm|"
    r"chia sẻ)|\b(?:là|với tư cách) (?:là )?(?:một )?(?:ai\b|mô hình|trợ lý)|\btôi không biết",
    # Dutch, Polish, Indonesian, Ukrainian
    r"\bals (?:ai|taalmodel)|\bkan (?:de|geen|het) (?:afbeelding\w*|beeld\w*) (?:niet )?(?:zien|bekijken)|"
    r"\bniet (?:bepalen|beoordelen)|\bnie (?:mogę|można|potrafię) (?:zobaczyć obraz\w*|określić|ocenić|pomóc|"
    r"stwierdzić)|\bproszę (?:o )?(?:przesł|dostarcz|załącz|prześ)\w*"
    r"|\btidak (?:dapat|bisa) (?:melihat gambar|menentukan|membantu|menilai|memberikan)|\b(?:mohon|"
    r"silakan) (?:berikan|unggah|kirim)|\bне можу (?:визначити|оцінити|переглянути|допомогти)|\bнадайте зображення",
    # No image, and no help
    r"\bforg[eo]t(?:ten)? to (?:attach|upload|include|send|provide)|\bcan only (?:analy[sz]e|read|see|interpret|"
    r"process|handle) text|\bcan only (?:help|assist|work|deal) with (?:text|written|words|language)"
    rf"|(?:^|[.!] )no {_IMAGE}(?=[.,;!]|$)"
    rf"|\b{_IMAGE} (?:is not|isn't) (?:showing|displaying|appearing)(?: up)? for me"
    rf"|\b{_IMAGE} not (?:available|loaded|found|"
    r"provided|attached|uploaded|received)|\bnothing (?:is |was )?(?:attached|uploaded|provided)|\black the ability"
    r"|\bi (?:\w+ )?have no (?:way|ability|means) (?:to|of)"
    r"|\bcontent (?:was |is |has been )?(?:filtered|blocked|removed)"
    r"|\b(?:can't|cannot|won't) discuss"
    r"|(?:not|n't) feel (?:able|qualified|confident enough) to"
    r"|\bi(?:'m| am) not (?:allowed|permitted|supposed|designed|qualified) to\b"
    r"|\b(?:bild|foto) fehlt|\bfalta la imagen|\bmanca l'immagine|\bl'image manque|الصورة (?:مفقودة|غير)"
    r"|\bkhông thấy (?:hình ảnh|ảnh|hình)(?=[.,!]|$)",
    rf"\b{_IMAGE}(?: \w+){{0,3}} (?:is|was|are|were) not (?:attached|provided|uploaded)\b|\bonly (?:work with|"
    rf"process|handle|understand) text"
    r"|\bviolat\w+ (?:\w+ ){0,3}(?:guideline|polic)|\b(?:don't|do not) feel comfortable|"
    r"\buncomfortable (?:rating|scoring)",
    r"(?:没办法|沒辦法)(?:看|评|評|判|给|給|回)|[请請]给我[图圖]|[图圖][像片](?:加载|载入|載入|上传|上傳|显示|"
    r"顯示)(?:失败|失敗|不)"
    r"|لم يتم (?:تقديم|إرفاق|توفير|تحميل)[^.\n]{0,10}صورة|(?:चित्र|छवि|तस्वीर) नहीं (?:दिया|दी|मिल)",
    r"\bkann (?:ich )?(?:dazu )?nichts (?:dazu )?sagen|\bimage n'(?:a pas été|est pas) (?:fournie|jointe|visible|"
    r"disponible|accessible)"
    r"|\bninguna imagen (?:fue|adjunt|proporcion)|\bnenhuma imagem (?:foi )?(?:fornecida|anexada|enviada)"
    r"|\bnessuna immagine (?:è )?(?:stata )?(?:fornita|allegata|caricata|inviata)"
    r"|\bkhông có (?:hình ảnh|ảnh) nào được (?:cung cấp|đính kèm|tải)",
    # A label with a value that is none
    rf"{LABELS}\W{{0,3}}(?:null|none|nan|unknown|undefined|undetermined|true|false|[-+]?inf(?:inity)?|unclear|"
    rf"unbekannt|inconnu|desconocid[oa]|sconosciuto|неизвестно|未知|不明|미정|غير معروف)\b",
)
_REFUSAL: Final = re.compile("|".join(_REFUSALS))

# "The image was not loaded", from the image, a negation and a participle of arriving in one sentence
_FOREIGN_IMAGE: Final = re.compile(
    alternatives(
        "bild|bilder|foto|fotos|image|images|photo|photos|imagen|imágenes|imagem|imagens|immagine|immagini|"
        "afbeelding|картинк*|изображени*|фото*|صورة|छवि|चित्र",
        "तस्वीर|görüntü*|görsel*|resim|resm*|fotoğraf*|hình ảnh|hình|ảnh|obraz*|zdjęci*|"
        "gambar|图像|图片|图|圖像|圖片|圖",
        "照片|画像|写真|이미지|사진",
    )
)
_ARRIVED: Final = alternatives(
    "geladen|hochgeladen|angehängt|bereitgestellt|übermittelt|empfangen|gesendet|beigefügt|mitgeschickt|verfügbar",
    "chargé*|joint|jointe|fourni|fournie|reçu|reçue|téléchargé*|envoyé*|transmise|affichée|disponible",
    "cargad*|cargó|adjunt*|proporcionad*|recibid*|subid*|enviad*|carregad*|carregou|anexad*|fornecid*|recebid*|disponível|"
    "disponibile",
    "caricat*|allegat*|fornit*|ricevut*|inviat*|загружен*|загрузил*|прикреп*|доступн*|"
    "предоставлен*|получен*|отправлен*|приложен*",
    "تحميل*|إرفاق*|تقديم*|متوفر*|متاح*|مرفق*|अपलोड|उपलब्ध|संलग्न|लोड|yüklen*|sağlanm*|eklenm*|gönderilm*",
    "được tải|tải được|tải lên|được đính kèm|được cung cấp|được gửi|geüpload|bijgevoegd|przesłan*|załączon*|diunggah",
    "加载|載入|载入|上传|上傳|附上|附件|読み込|添付|アップロード|첨부|업로드|불러|로드",
)
_NOT_ARRIVED: Final = re.compile(
    rf"{NEGATION}[^.\n]{{0,15}}{_ARRIVED}|{_ARRIVED}[^a-zà-ÿ.,;\n]{{0,8}}{NEGATION}"
    r"|\b(?:yüklen|sağlan|eklen|gönderil)[em]?m[ae]\w*"
)
_INSIDE_BEFORE: Final = re.compile(  # "in the image"
    r"(?:\b(?:im|in|auf|sur|dans|en|no|na|em|nell|nella|sull|на|в|في|trong|op|w|di)|в этом)"
    r"(?: (?:dem|diesem|la|the|esta|questa|этом|het))?"
    r"[ ']\Z"
)
_INSIDE_AFTER: Final = re.compile(r"[中里裡内內上]|には|에[는서]?| में")


def refuses(text: str) -> bool:
    """Return whether a lower-case answer refuses, asks for the image, or says that it cannot tell."""
    return bool(_REFUSAL.search(text)) or any(_says_not_arrived(sentence) for sentence in re.split(r"[.!?\n]", text))


def _says_not_arrived(sentence: str) -> bool:
    """Return whether a sentence says that the image did not arrive, and not what is absent in the image."""
    image = _FOREIGN_IMAGE.search(sentence)
    if (
        not image
        or _INSIDE_BEFORE.search(sentence[: image.start()][-20:])
        or _INSIDE_AFTER.match(sentence, image.end())
    ):
        return False
    return _NOT_ARRIVED.search(sentence) is not None
