"""The words by which a reader of an answer tells a score from other numbers, in the languages that models write."""

from __future__ import annotations

import re
from typing import Final

_ARABIC_PREFIX: Final = r"[وفبلك]?(?:ال|لل)?"
_LETTER: Final = r"[^\W\d_]"
_BOUNDARIES: Final = (  # first and last letter of a script, what stands before a word, what may not follow it
    ("\u0590", "\u06ff", rf"(?<![\u0590-\u06ff]){_ARABIC_PREFIX}", r"(?![\u0590-\u06ff])"),
    ("\u0900", "\u09ff", r"(?<![\u0900-\u09ff])", r"(?![\u0900-\u09ff])"),
    ("\u0e00", "\u0e7f", "", ""),  # Thai
    ("\u2e80", "\uffff", "", ""),  # Chinese, Japanese, Korean
    ("\u0000", "\u2e7f", rf"(?<!{_LETTER})", rf"(?!{_LETTER})"),
)


def alternatives(*lists: str) -> str:
    """Return a pattern of words, from lists divided by ``|``; a word that ends in ``*`` may go on.

    Words of scripts that write blanks between words match as whole words. Case is ignored by lower-case texts.
    """
    patterns: list[str] = []
    words = sorted({word.strip() for words in lists for word in words.split("|")}, key=lambda word: (-len(word), word))
    for first, last, before, after in _BOUNDARIES:
        of_script = [word for word in words if word and first <= word[0] <= last]
        words = [word for word in words if word not in of_script]
        exact_words = [re.escape(word) for word in of_script if word[-1] != "*"]
        stems = [re.escape(word[:-1]) for word in of_script if word[-1] == "*"]
        suffix = {"\u0000": rf"{_LETTER}*+", "\u0590": r"[\u0590-\u06ff]*+", "\u0900": r"[\u0900-\u09ff]*+"}.get(
            first, ""
        )
        if exact_words:
            patterns.append(rf"{before}(?:{'|'.join(exact_words)}){after}")
        if stems:
            patterns.append(rf"{before}(?:{'|'.join(stems)}){suffix}")
    return rf"(?:{'|'.join(patterns)})"


def word_set(*lists: str) -> frozenset[str]:
    """Return the words of lists divided by blanks."""
    return frozenset(word for words in lists for word in words.split())


LABELS: Final = alternatives(
    "score|scores|scoring|rating|probability|likelihood|output|response|answer|result|estimate|estimation",
    "assessment|evaluation|grade|verdict|value|anomaly|anomaly level|presence|degree",
    "bewertung*|score-wert|wert|punktzahl|punktwert*|ergebnis|antwort|ausgabe|wahrscheinlichkeit|anomaliewert*|"
    "einschätzung|note",
    "notation|degré|grado|grau|степен*|évaluation|réponse|sortie|résultat|probabilité|valeur|estimation",
    "puntuación|puntaje|calificación|respuesta|salida|resultado|probabilidad|valor|evaluación|nota|valoración",
    "pontuação|classificação|resposta|saída|probabilidade|avaliação|escore",
    "punteggio|valutazione|voto|risposta|risultato|probabilità|valore|stima",
    "оценк*|балл*|счёт|счет|ответ*|вывод|результат*|вероятност*|значени*|показател*|рейтинг*|оцінк*|бал|відповідь",
    "نتيجة|درجة|تقييم|إجابة|جواب|مخرجات|ناتج|احتمال*|قيمة|امتیاز|نمره|پاسخ|نتیجه",
    "स्कोर|अंक|रेटिंग|उत्तर|आउटपुट|परिणाम|प्रायिकता|संभावना|मूल्यांकन|जवाब|স্কোর",
    "skor*|puan*|değerlendirme*|yanıt*|cevap*|çıktı*|sonuç*|sonuc*|olasılı*|değer*",
    "điểm|điểm số|đánh giá|kết quả|trả lời|đầu ra|xác suất|phản hồi|giá trị",
    "beoordeling|antwoord|waarde|cijfer|wynik|ocena|odpowiedź|prawdopodobieństwo|nilai|jawaban|probabilitas",
    "poäng|betyg|svar|skóre|hodnocení|odpověď|scor|punctaj|răspuns|pontszám|válasz|vastaus|pisteet",
    "βαθμολογία|σκορ|απάντηση|ציון|תשובה|คะแนน|คำตอบ|ผลลัพธ์",
    "可能性|程度|异常度|异常值|異常値|得分|分数|分數|评分|評分|打分|分值|异常分|異常分|输出|輸出|回答|答案|回复|回覆|"
    "响应|回應|结果|結果|概率|機率|几率|幾率",
    "スコア|度合い|得点|点数|評価|評点|採点|出力|答え|応答|確率|異常度|점수|스코어|평점|평가|출력|응답|답변|대답|정답|확률|"
    "결과|이상도",
)
"""What a score is called."""

VERBS: Final = alternatives(
    "give|gives|giving|gave|assign|assigned|assigning|rate|rated|estimate|estimated|evaluate|award|say|deserves|"
    "put it at|go with|going with|went with|settle on|settled on|gets|receives",
    "put this at|vergebe|vergeben|bewerte|bewerten|gebe|geben|schätze|schätzen|würde sagen",
    "donne|donnerais|mets|mettrais|attribue|attribuerais|évalue|dirais|asigna|atribui|assegna|doy|daría|asigno|asignaría|califico|otorgo|"
    "diría",
    "dou|daria|atribuo|atribuiria|avalio|diria|darei|assegno|assegnerei|valuto|direi",
    "ставлю|поставлю|поставил*|оцениваю|оценил*|даю|дал бы|присваиваю|أعطي|أقدر|أقيم|أمنح",
    "geef|geven|oceniam|daję|przyznaję|nilai saya|memberi|ger|दूंगा|दूँगा|दूंगी|देता|देती|veriyorum|veririm|verirdim|"
    "derdim|veriyoruz|cho|chấm",
    "给|給|打|评为|評為|つけ|付け|与え|とします|としました|とした|주겠|매기|부여|줍니다",
)
"""How a model says that it gives a score."""

FINAL: Final = re.compile(
    alternatives(
        "final|finally|overall|endgültig*|gesamt*|finale|global|globale|complessiv*|definitiv*",
        "итог*|общ*|окончательн*|نهائي*|अंतिम|nihai|sonuç olarak|genel|cuối cùng",
        "最终|最終|总体|總體|综合|綜合|総合|全体|최종|종합|전체|eindscore|końcow*|akhir",
    )
)
"""Words of a label that replaces the other scores of an answer."""

CERTAINTY: Final = alternatives(
    "sure|certain|certainty|reliability|confident|confidence|confidently|conf|certitude|convinced|positive that|"
    "sureness",
    "sicher|sicherheit*|gewiss*|überzeugt|konfidenz*|vertrauen*|zuversicht*|sûr|sûre|certaine|confiance|convaincu*",
    "zuverlässigkeit|fiabilité|fiabilidad|confiabilidade|affidabilità|надёжност*|надежност*|可靠|信度|信赖|"
    "seguro|segura|certeza|confianza|confiança|certo|certa|convencid*|sicuro|sicura|certezza|confidenza|fiducia|"
    "convint*",
    "уверен*|достоверн*|убежд*|впевнен*|متأكد*|واثق*|ثقة|يقين|تأكد|تأكيد|مطمئن|اطمینان",
    "निश्चित*|यकीन|विश्वास|भरोसा|आत्मविश्वास|আত্মবিশ্বাস|নিশ্চিত|emin*|güven*|kesin*|chắc|chắc chắn|tin cậy|tự tin",
    "zeker|zekerheid|vertrouwen|overtuigd|pewn*|pewność|jist*|säker*|sikker*|varma|varmuus|biztos*|yakin|keyakinan|"
    "sigur",
    "încredere|σίγουρ*|βέβαι*|εμπιστοσύνη|בטוח|ביטחון|มั่นใจ",
    "确定|確定|把握|确信|確信|肯定|置信|信心|自信|信頼度|信頼|信赖|確度|確実|可信|확신|신뢰|자신|확실",
)
"""Words of certainty: their numbers say how sure the model is, not what it sees."""

CHANCE: Final = re.compile(
    alternatives(
        "chance|chances|probability|likelihood|odds|likely|probable|wahrscheinlich*|chancen|probabilité|probable",
        "probabilidad*|posibilidad|possibilidade|probabilità|possibilità|вероятност*|шанс*|احتمال*|संभावना|प्रायिकता",
        "olasılı*|ihtimal*|şans*|xác suất|khả năng|概率|機率|几率|幾率|可能性|確率|확률|가능성|kans|szansa|"
        "prawdopodobieństwo",
    )
)

NEGATION: Final = alternatives(
    "no|not|none|nothing|nobody|never|without|absence|absent|lack|lacks|missing|neither|nor|free of|negative|unlikely",
    "wouldn't|won't|shouldn't|couldn't|didn't|hasn't|isn't|aren't|doesn't|don't|wasn't|can't|cannot|non-existent|"
    "nonexistent|kein*|nicht|ohne|niemand|abwesen*|fehl*",
    "pas|aucun*|sans|personne ne|absence|n'y|jamais|sin|ningún|ninguna|ninguno|nadie|ausencia|nunca",
    "não|nenhum*|sem|ninguém|ausência|non|nessun*|senza|assenza|не|нет|нету|без|никто|отсутств*|ні|немає",
    "لا|ليس*|بدون|لم|لن|غياب|عدم|خلو|نہیں|नहीं|बिना|अनुपस्थि*|yok*|değil|olmayan|olmama*|hiçbir|không|chưa|vắng",
    "geen|niet|zonder|nie|brak|bez|žádn*|není|ingen|inget|inte|ikke|ei|ole|nincs|nem|tidak|bukan|tanpa|nu|fără",
    "못|没|沒|无|無|不|未|非|ない|なし|ません|ず|않|없|아니|아닐|ไม่|אין|לא",
)

FILLERS: Final = word_set(
    "about around approximately approx approx. roughly circa ca ca. maybe perhaps probably possibly definitely "
    "clearly say so therefore thus hence "
    "i i'd i'll would think believe guess my is it it's its this that's that the a an image picture be as at with "
    "of for actually rather more now then "
    "hmm okay ok well sure solid strong fair final yes no here here's to in clear also again still just only exactly "
    "precisely "
    "correction sorry wait "
    "daher deshalb folglich por tanto lo portanto logo quindi perciò поэтому значит следовательно لذا لذلك इसलिए "
    "dolayısıyla yüzden nedenle vậy nên đó do 因此 故 "
    "よって したがって 따라서 그래서 dus dlatego maka but was or some "
    "ungefähr etwa rund zirka vielleicht wahrscheinlich also ich würde sagen das der die ein eine ist mit eher doch "
    "nein ja genau "
    "environ peut-être probablement donc je dirais c'est un une le la de à plutôt non oui en exactement "
    "aproximadamente alrededor unos quizás tal vez es un una el la de creo diría yo más bien sí con entonces "
    "cerca aproximadamente uns talvez eu é um uma o a de diria acho sim então circa forse direi un una il la è di "
    "quindi penso "
    "примерно около приблизительно наверное возможно я думаю это так итак скорее да нет бы в "
    "حوالي تقريبا تقريباً نحو ربما هو هي إذن بل लगभग करीब शायद यह है मेरे तो yaklaşık belki bence o bu sanırım khoảng "
    "chừng có lẽ là tôi nghĩ "
    "ongeveer circa około sekitar 约 約 大约 大約 大概 我 是 为 為 约为 所以 应该 实际上 其实 おそらく たぶん 約 "
    "およそ ほぼ 은 는 약 대략 아마 은 입니다"
)
"""Words that may stand with a score where nothing else does."""

GLUED_FILLERS: Final = re.compile(
    "(?:我|认为|認為|觉得|覺得|是|为|為|应该|應該|大约|大約|约|約|大概|可能|所以|因此|故|这里|這裡|实际上|其实|给|"
    "左右|概ね"
    "|そのため|おそらく|たぶん|およそ|ほぼ|ので|ため|よって|したがって|です|となります|になります|でしょう|약|대략|아마|그래서|따라서|"
    "입니다|정도)+"
)
"""The same in scripts without blanks."""

DENIED: Final = re.compile(
    alternatives(
        "threshold|cutoff|cut-off|version|ratio|aspect|brightness|contrast|opacity|zoom|iou|overlap|distance|width|"
        "height|length|area",
        "depth|weight|mass|speed|velocity|time|times|timestamp|duration|date|temperature|humidity|price|cost|"
        "scale factor|factor|fps",
        "accuracy|precision|recall|loss|entropy|blur|noise|quality|clarity|sharpness|illumination|lighting|exposure|"
        "gamma|saturation|hue|top p|p-value|seed",
        "qualität|qualité|calidad|qualidade|qualità|качеств*|جودة|गुणवत्ता|kalite*|chất lượng|genauigkeit|exactitud|"
        "precisión|acurácia|точност*|دقة|doğruluk",
        "品質|画質|质量|質量|清晰度|精度|准确率|準確率|正解率|품질|화질|정확도|độ chính xác|kwaliteit|jakość|kualitas|"
        "akurasi",
        "negative|inverse|range|数量|个数|個数|人数|台数|件数|개수",
        "frame rate|resolution|coordinates|coordinate|position|bbox|bounding|x|y|w|h|alpha|beta|sigma|lambda|"
        "learning rate|angle|size",
        "normality|normal|normalcy|safety|absence|absent|error|margin|uncertainty|difference|increase|decrease|step|"
        "number|count|counts|page|max|min",
        "max score|min score|maximum score|minimum score|baseline|previous|weighting|fraction|percentage of|index|id|"
        "age|level of detail",
        "schwellenwert*|schwelle|verhältnis|helligkeit|abstand|entfernung|breite|höhe|geschwindigkeit|version|uhrzeit|"
        "normalität|abwesenheit|unsicherheit",
        "seuil|rapport|luminosité|distance|largeur|hauteur|vitesse|normalité|incertitude|umbral|proporción|"
        "relación de aspecto|brillo|distancia|anchura",
        "altura|velocidad|normalidad|incertidumbre|limiar|brilho|distância|velocidade|normalidade|incerteza|soglia|"
        "rapporto|luminosità|distanza|velocità",
        "normalità|incertezza|порог*|соотношени*|яркост*|расстояни*|скорост*|верси*|нормальн*|неопределённост*|"
        "неопределенност*|عتبة|مسافة|سطوع|سرعة|إصدار",
        "सीमा|दूरी|चमक|गति|संस्करण|eşik|mesafe|parlaklık|hız*|sürüm|normallik|belirsizlik|ngưỡng|khoảng cách|độ sáng|"
        "tốc độ|phiên bản",
        "阈值|閾值|閾値|しきい値|版本|バージョン|亮度|明るさ|距离|距離|速度|宽度|高度|比例|比率|正常|不确定|不確定|"
        "不確実|正常度|임계|버전|밝기|거리|속도|정상|불확실|坐标|座標|좌표|时间|時間|시간",
    )
)
"""Words of labels whose numbers are not scores of presence."""

CONNECTIVES: Final = alternatives(
    "because|as|since|for|due|weil|da|denn|aufgrund|parce|car il|car elle|car on|car la|car le|car les|car un|"
    "car une|car l'|car aucun|car aucune|car je|car cette|puisque|porque|ya|pois|perché|poiché|dato|потому|так|"
    "поскольку",
    "لأن|حيث|क्योंकि|चूंकि|çünkü|zira|vì|bởi|do|omdat|ponieważ|karena|因为|因為|由于|由於|なぜなら|理由|왜냐하면|때문",
)

YES: Final = alternatives("present|true|yes|ja|oui|sí|sim|sì|да|نعم|हाँ|हां|evet|có|是的|是|はい|네|예|tak|так")
NO: Final = alternatives(
    "absent|not present|not visible|not detected|none|false|no|nope|nein|non|não|нет|لا|नहीं|hayır|không|否|不是|"
    "没有|沒有|いいえ|아니요|아니오|nie|nee|ні"
)
ZERO: Final = word_set("zero zéro cero ноль нуль ゼロ 零 〇 영 제로 صفر शून्य sıfır nul noll nulla")
ONE: Final = word_set("one eins un une uno um один единица 一 壹 いち 일 하나 واحد एक bir một een jeden ett satu")

REASON_KEYS: Final = alternatives(
    "reason|reasoning|explanation|rationale|justification|description|begründung|erklärung|raison|explication|"
    "justification|razón|explicación",
    "motivo|justificación|razão|explicação|justificativa|motivazione|spiegazione|причина|обоснование|объяснение|سبب|"
    "تفسير|कारण|स्पष्टीकरण",
    "neden|gerekçe|açıklama|lý do|giải thích|理由|原因|解释|解釋|说明|說明|根拠|説明|이유|설명|근거",
)
